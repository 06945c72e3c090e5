"""The evaluations of a run's checkpoints: accuracies, and the verdict on each image."""

import json
import warnings
from dataclasses import dataclass
from typing import Any

import pandas as pd

from rofit.errors import UserError
from rofit.report.images import verdict_map
from rofit.store.evaluations import evaluations, read_verdicts
from rofit.store.runs import RunFolder

_LONGEST_MAP = 20_000  # images


@dataclass(frozen=True)
class ClassRow:
    """Images of one class: per cent right when clean, and right under the attack."""

    name: str
    n: int
    clean: float
    robust: float


@dataclass(frozen=True)
class EvaluationReport:
    """One evaluation.

    Attributes:
        result: as it was kept.
        stages: what happened to the images -> number of them, in order.
        classes: a row a class; empty where verdicts cannot be read.
        picture: an image a pixel, as a data URI; empty without verdicts.
        data: position, class and verdict of each pixel, as JSON.
    """

    result: dict[str, Any]
    stages: dict[str, int]
    classes: list[ClassRow]
    picture: str
    data: str


def evaluation_reports(
    run: RunFolder, class_names: tuple[str, ...]
) -> list[EvaluationReport]:
    """Return the finished evaluations of a run, by checkpoint, the weakest first."""
    results = evaluations(run)
    results.sort(key=lambda r: (r["checkpoint"], -r["accuracy"]))
    return [_report(run, result, class_names) for result in results]


def check_rows(run: RunFolder) -> list[dict[str, Any]]:
    """Return what the checks for gradient masking said, a row a checkpoint."""
    rows = []
    for path in sorted((run.path / "evaluations").glob("*-checks-*.json")):
        kept = run.read_json(path.relative_to(run.path).as_posix()) or {}
        if {"checkpoint", "warnings", "passed"} <= kept.keys():
            warned, passed = dict(kept["warnings"]), list(kept["passed"])
            rows.append(
                {"checkpoint": kept["checkpoint"], "warned": warned, "passed": passed}
            )
    return rows


def _report(
    run: RunFolder, result: dict[str, Any], class_names: tuple[str, ...]
) -> EvaluationReport:
    try:
        table = read_verdicts(run, result["name"])
        fooled_by = table["fooled_by"].astype(str)
        classes = table["class"].astype(int)
    except (UserError, LookupError, ValueError) as error:
        text = f"{result['name']}: no verdicts ({error})"
        warnings.warn(text, stacklevel=2)
        return EvaluationReport(result, {}, [], "", "")
    kinds = [kind for kind in dict.fromkeys(fooled_by) if kind not in ("", "clean")]
    counts = {"wrong when clean": int((fooled_by == "clean").sum())}
    counts |= {f"fooled by {kind}": int((fooled_by == kind).sum()) for kind in kinds}
    counts["right in the end"] = int((fooled_by == "").sum())
    code = {"": 0, "clean": 1} | {kind: 2 + k for k, kind in enumerate(kinds)}
    verdicts = [code[name] for name in fooled_by]
    picture = data = ""
    if len(verdicts) <= _LONGEST_MAP:
        picture = verdict_map(verdicts)
        names = ["right in the end", "wrong when clean", *map(_fooled, kinds)]
        data = json.dumps(
            {
                "index": [int(i) for i in table["index"]],
                "class": list(classes),
                "verdict": verdicts,
                "names": names,
                "classes": list(class_names),
            }
        )
    return EvaluationReport(
        result, counts, _class_rows(classes, fooled_by, class_names), picture, data
    )


def _fooled(kind: str) -> str:
    return f"fooled by {kind}"


def _class_rows(
    classes: "pd.Series[int]", fooled_by: "pd.Series[str]", names: tuple[str, ...]
) -> list[ClassRow]:
    rows = []
    for number, verdicts in fooled_by.groupby(classes):
        name = names[number] if number < len(names) else str(number)  # type: ignore
        clean = 100 * float((verdicts != "clean").mean())
        robust = 100 * float((verdicts == "").mean())
        rows.append(ClassRow(name, len(verdicts), clean, robust))
    return rows
