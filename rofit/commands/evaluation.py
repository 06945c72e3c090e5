"""`rofit eval`: networks under attacks, as tables of accuracies and warnings."""

import re
from typing import Any

import click
import pandas as pd

from rofit.commands.answers import answer, unfinished
from rofit.commands.cluster import Cluster, with_cluster
from rofit.commands.completion import complete_runs_or_files
from rofit.commands.flags import with_flags
from rofit.commands.import_checkpoint import evaluable, with_choices
from rofit.commands.session import Session
from rofit.errors import UserError, quoted
from rofit.settings.knobs import parse_value
from rofit.settings.threat import ThreatModel
from rofit.store.evaluations import Shard, read_verdicts
from rofit.store.runs import RunFolder

Rows = list[dict[str, Any]]


@click.command("eval")
@click.argument(
    "targets",
    metavar="RUN|CHECKPOINT",
    nargs=-1,
    required=True,
    shell_complete=complete_runs_or_files,
)
@click.option(
    "--attack", "attacks", multiple=True, help="pgd20,cw,autoattack ... (rofit list)."
)
@click.option("--checkpoint", "checkpoints", multiple=True, help="[best and last].")
@click.option("--epsilon", "epsilons", default="", help="Radii: 0.5/255,8/255 [run's].")
@click.option("--norm", default="", help="linf or l2 [the run's].")
@click.option(
    "--n", type=click.IntRange(0, 10**9), default=0, help="Test images [all]."
)
@click.option("--shard", default="", metavar="K/N", help="Only this share of them.")
@click.option(
    "--network", default="", metavar="FILE:FUNCTION", help="Builds a watched run's."
)
@click.option(
    "--from",
    "source",
    default="",
    help="Run that transfer attacks.",
    shell_complete=complete_runs_or_files,
)
@click.option(
    "--seed", type=click.IntRange(0, 10**18), default=0, help="Of the draws [0]."
)
@click.option(
    "--batch-size", type=click.IntRange(0, 65_536), default=0, help="Images at a time."
)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "tf32"]),
    default="fp32",
    help="tf32 is for GPUs, and named in results [fp32].",
)
@with_choices
@with_flags(
    "store",
    "data",
    "device",
    "engine",
    "dry_run",
    "max_minutes",
    "as_json",
    "quiet",
    "debug",
)
@with_cluster
def eval_(
    session: Session,
    cluster: Cluster | None,
    targets: tuple[str, ...],
    attacks: tuple[str, ...],
    checkpoints: tuple[str, ...],
    epsilons: str,
    shard: str,
    choices: dict[str, Any],
    **options: Any,
) -> int:
    """Evaluate runs or checkpoint files, and check for masked gradients.

    A file of another program is imported first, with the flags of rofit import.

    What is finished is not repeated; what was interrupted goes on. [clean, pgd20,
    autoattack, of best and last]
    """
    from rofit.running.evaluate import evaluate

    names = [n.strip() for text in attacks for n in text.split(",") if n.strip()]
    radii = [
        parse_value("epsilon", text, float)
        for text in epsilons.split(",")
        if text.strip()
    ]
    if names:
        options["attacks"] = names
    options |= {"checkpoints": checkpoints, "epsilons": radii}
    paths = [evaluable(session, target, choices) for target in targets]
    dry_run = session.flags.dry_run
    if cluster is not None and not dry_run:
        if shard:
            raise UserError("--shard is for this machine; --shards splits into jobs")
        _work(session, cluster, paths, options)
        dry_run = True  # what the jobs have made is shown
    table = evaluate(
        *paths, shard=_shard(shard), dry_run=dry_run, **options, **session.execution()
    )
    sections: dict[str, Rows] = {}
    reached = table[table["attack"].notna()]
    for (path, name), cases in reached.groupby(["folder", "checkpoint"], sort=False):
        title = f"{path.name}, {name} (epoch {int(cases['epoch'].iloc[0])})"
        sections[title] = accuracy_rows(cases, RunFolder(path))
        if cases["done"].all() and not session.flags.dry_run:
            sections[f"{title}: gradient masking"] = warning_rows(cases)
    answer(sections, session.flags.as_json)
    return 0 if table["done"].all() or session.flags.dry_run else unfinished()


def _work(
    session: Session,
    cluster: Cluster,
    targets: list[str],
    options: dict[str, Any],
) -> None:
    """Send the evaluations to a cluster, and follow them if so wished."""
    from rofit.cluster.tasks import target_tasks

    execution = session.execution()
    del execution["console"], execution["max_minutes"]
    shards = cluster.slurm.settings.shards
    cluster.work(target_tasks(targets, options | execution, shards, session.store))


def accuracy_rows(cases: pd.DataFrame, folder: RunFolder) -> Rows:
    """Return a row a case of one checkpoint, with the spread of so many images."""
    rows: Rows = []
    for case in cases.to_dict("records"):
        clean = case["kind"] == "clean"
        identity = {
            "attack": case["attack"],
            "threat": "" if clean else str(ThreatModel(case["norm"], case["epsilon"])),
            "n": int(case["n"]),
        }
        seconds = None if pd.isna(case["seconds"]) else case["seconds"]
        measured = _accuracy(case["accuracy"], case["n"])
        rest = {"seconds": seconds, "reference": case["reference"]}
        rows.append(identity | measured | rest)
        after = case["after"] if isinstance(case["after"], dict) else {}
        for stage, accuracy in list(after.items())[1:] if len(after) > 2 else []:
            measured = _accuracy(accuracy, case["n"])
            rest = {"seconds": None, "reference": ""}
            rows.append(identity | {"attack": f"  after {stage}"} | measured | rest)
        if isinstance(case["left_out"], str):
            text = {"attack": f"  without {case['left_out']}"}
            rest = {"seconds": None, "reference": ""}
            rows.append(identity | text | _accuracy(None, 0) | rest)
    rows += _worst(cases, folder)
    if not any(row["reference"] for row in rows):
        for row in rows:
            del row["reference"]
    return rows


def warning_rows(cases: pd.DataFrame) -> Rows:
    """Return a row a warning, or one that says which checks raised none."""
    finished = [checks for checks in cases["checks"] if isinstance(checks, dict)]
    by_threat = {(checks["norm"], checks["epsilon"]): checks for checks in finished}
    rows: Rows = []
    for _, checks in sorted(by_threat.items()):
        raised = checks["warnings"]
        rows += [{"check": name, "warning": text} for name, text in raised.items()]
        if not raised:
            passed = ", ".join(checks["passed"])
            rows.append({"check": "none raised", "warning": f"passed: {passed}"})
    return rows


def _worst(cases: pd.DataFrame, folder: RunFolder) -> Rows:
    """Return a row a threat: images that no attack has fooled, over several."""
    attacked = cases[(cases["kind"] != "clean") & cases["accuracy"].notna()]
    rows: Rows = []
    for (norm, epsilon), group in attacked.groupby(["norm", "epsilon"], sort=False):
        tables = [read_verdicts(folder, name) for name in group["evaluation"]]
        robust = [set(t.loc[t["fooled_by"] == "", "index"]) for t in tables]
        if len(robust) > 1:
            n = int(group["n"].iloc[0])
            identity = {"attack": "worst of these", "n": n}
            identity["threat"] = str(ThreatModel(norm, epsilon))
            measured = _accuracy(len(set.intersection(*robust)) / n, n)
            rows.append(identity | measured | {"seconds": None, "reference": ""})
    return rows


def _accuracy(accuracy: float | None, n: int) -> dict[str, Any]:
    if accuracy is None or pd.isna(accuracy):
        return {"accuracy %": None, "± s.e.": None}
    error = (accuracy * (1 - accuracy) / n) ** 0.5
    return {"accuracy %": round(100 * accuracy, 2), "± s.e.": round(100 * error, 2)}


def _shard(text: str) -> Shard:
    if not text:
        return (1, 1)
    numbers = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
    if numbers is None or not 1 <= int(numbers[1]) <= int(numbers[2]):
        raise UserError(
            f"--shard expects K/N with K from 1 to N (1/4), got {quoted(text)}"
        )
    return int(numbers[1]), int(numbers[2])
