"""What was measured of the published weights, as the model card has it."""

from typing import Any

from rofit.interop.publish.facts import Facts
from rofit.interop.publish.markdown import bullets, code, in_255ths, per_cent, table
from rofit.measures.selection import selection_split
from rofit.running.checks import read_checks

_OURS = ("clean", "fgsm", "pgd", "cw", "transfer")  # all others are pyautoattack's


def described(facts: Facts) -> str:
    """Return the section of the card: evaluations, epoch's end, what chose best."""
    parts = []
    if facts.evaluations:
        dataset = code(facts.checkpoint.spec.dataset)
        parts += [
            f"Test images of {dataset}; an image counts as robust if it is classified "
            "right clean and attacked. Radii are in input units.",
            table([_evaluation_row(result) for result in facts.evaluations]),
        ]
    if "autoattack" not in {result["kind"] for result in facts.evaluations}:
        parts.append(
            "AutoAttack has not been run on these weights; weaker attacks leave more "
            "images than it would."
        )
    parts += _masking(facts)
    if len(facts.epoch_accuracies):
        parts += _while_training(facts)
    if selection := _selection(facts):
        parts.append(selection)
    return "\n\n".join(parts)


def of_test_images(facts: Facts) -> dict[str, float]:
    """Return what was measured of test images, name -> fraction.

    Without evaluations the accuracies of the epoch's end.
    """
    if facts.evaluations:
        return {
            f"accuracy, {_attack(r)}, n = {r['n']:,}": float(r["accuracy"])
            for r in facts.evaluations
        }
    rows = facts.epoch_accuracies
    tested = rows[rows["split"] == "test"].to_dict("records")
    return {
        f"accuracy, {row['attack']} while training, n = {row['n']:,.0f}": row["value"]
        for row in tested
    }


def _attack(result: dict[str, Any]) -> str:
    """Return attack and threat of an evaluation."""
    if result["kind"] == "clean":
        return str(result["attack"])
    return f"{result['attack']} {result['norm']} {in_255ths(result['epsilon'])}"


def _masking(facts: Facts) -> list[str]:
    """Return a paragraph a threat whose checks for gradient masking were made."""
    threats = {
        (r["norm"], r["epsilon"]) for r in facts.evaluations if r["kind"] != "clean"
    }
    paragraphs = []
    for norm, epsilon in sorted(threats):
        checks = read_checks(facts.checkpoint, facts.folder, norm, epsilon)
        if not checks:
            continue
        begin = f"Checks for gradient masking, {norm} {in_255ths(epsilon)}: "
        if checks["warnings"]:
            warnings = [f"{code(n)}: {code(t)}" for n, t in checks["warnings"].items()]
            paragraphs.append(f"{begin}\n\n{bullets(warnings)}")
        else:
            passed = ", ".join(map(code, checks["passed"]))
            paragraphs.append(f"{begin}none raised of {passed}.")
    return paragraphs


def _while_training(facts: Facts) -> list[str]:
    rows = [
        {
            "split": code(row["split"]),
            "attack": code(row["attack"]),
            "images": f"{row['n']:,.0f}",
            "accuracy %": per_cent(row["value"]),
        }
        for row in facts.epoch_accuracies.to_dict("records")
    ]
    known = facts.settings
    when = f"While training, after epoch {facts.checkpoint.epoch}"
    if "norm" in known and "epsilon" in known:
        when += f", inside {known['norm']} {in_255ths(known['epsilon'])}"
    if "precision" in known:
        when += f", in {known['precision']}"
    return [f"{when}:", table(rows)]


def _evaluation_row(result: dict[str, Any]) -> dict[str, str]:
    versions = result.get("environment", {}).get("versions", {})
    library = versions.get("pyautoattack", "")
    by_library = result["kind"] not in _OURS
    clean = result["kind"] == "clean"
    return {
        "attack": code(result["attack"]),
        "radius": "" if clean else f"{result['norm']} {in_255ths(result['epsilon'])}",
        "images": f"{result['n']:,}",
        "accuracy %": per_cent(result["accuracy"]),
        "precision": str(result.get("precision", "fp32")),
        "library": f"pyautoattack {library}" if by_library and library else "",
    }


def _selection(facts: Facts) -> str:
    """Return what chose the best epoch; empty where rofit did not choose."""
    if facts.source or facts.checkpoint.name != "best":
        return ""
    spec = facts.checkpoint.spec
    split = selection_split({"val"} if spec.val_size else ())
    n, images = f"{spec.val_size:,} validation", ", which are not trained on"
    if split == "test":
        n, images = "test", " themselves: the accuracies above are too high by that"
    return (
        "Best is the first of the epochs with the highest accuracy under the attack of "
        f"each epoch's evaluation (PGD, {spec.eval_steps} steps) on the {n} "
        f"images{images}."
    )
