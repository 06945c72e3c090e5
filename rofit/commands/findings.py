"""What evaluations found, as rows for the terminal."""

from typing import Any

from rofit.evaluation.cases import Case
from rofit.measures.reported import references
from rofit.running.checks import check
from rofit.running.evaluator import evaluation_name
from rofit.running.subject import Subject
from rofit.store.evaluations import evaluations, verdicts
from rofit.store.runs import RunFolder

Rows = list[dict[str, Any]]


def found_rows(subject: Subject, folder: RunFolder, cases: list[Case]) -> Rows:
    """Return a row a case: what was found, with the spread of so many images."""
    results = {each["name"]: each for each in evaluations(folder)}
    rows: Rows = []
    for case in cases:
        found = results.get(evaluation_name(subject, case))
        about = {
            "attack": case.attack,
            "threat": str(case.threat) if case.kind != "clean" else "",
            "n": case.n,
        }
        left = found["accuracy"] if found else None
        told = _accuracy(left, case.n)
        told["seconds"] = found["seconds"] if found else None
        what = (subject.spec, subject.name, case.attack, case.threat)
        rows.append(about | told | {"reference": references(*what)})
        after = found["after"] if found and len(found["after"]) > 2 else {}
        for stage, left in list(after.items())[1:]:
            each = about | {"attack": f"  after {stage}"} | _accuracy(left, case.n)
            rows.append(each | {"seconds": None, "reference": ""})
    rows += _worst(subject, folder, cases, results)
    if not any(row["reference"] for row in rows):
        for row in rows:
            del row["reference"]
    return rows


def warning_rows(subject: Subject, folder: RunFolder, cases: list[Case]) -> Rows:
    """Return a row a warning, or one that says how many checks raised none."""
    usual = (subject.spec.norm, subject.spec.epsilon)
    threats = {(c.norm, c.epsilon) for c in cases if c.kind != "clean"} or {usual}
    rows: Rows = []
    for norm, epsilon in sorted(threats & {usual} or threats):
        told = check(subject, folder, norm, epsilon, cases[0].precision)
        raised = {name: text for name, text in told.items() if text}
        rows += [{"check": name, "warning": text} for name, text in raised.items()]
        if not raised:
            passed = ", ".join(told)
            rows.append({"check": "none raised", "warning": f"passed: {passed}"})
    return rows


def _worst(
    subject: Subject, folder: RunFolder, cases: list[Case], results: dict[str, Any]
) -> Rows:
    """Return a row a threat: images that no attack has fooled, over several."""
    kept: dict[str, list[set[int]]] = {}
    for case in cases:
        name = evaluation_name(subject, case)
        if case.kind != "clean" and name in results:
            table = verdicts(folder, name)
            left = set(table.loc[table["fooled_by"] == "", "index"])
            kept.setdefault(str(case.threat), []).append(left)
    rows: Rows = []
    for threat, sets in kept.items():
        if len(sets) > 1:
            told = _accuracy(len(set.intersection(*sets)) / cases[0].n, cases[0].n)
            about = {"attack": "worst of these", "threat": threat, "n": cases[0].n}
            rows.append(about | told | {"seconds": None, "reference": ""})
    return rows


def _accuracy(left: float | None, n: int) -> dict[str, Any]:
    if left is None:
        return {"accuracy %": None, "± s.e.": None}
    error = (left * (1 - left) / n) ** 0.5
    return {"accuracy %": round(100 * left, 2), "± s.e.": round(100 * error, 2)}
