"""How far the jobs of a store are, by the queue, the runs' folders and the logs."""

import calendar
import re
import time
from pathlib import Path
from typing import Any

from rofit.cluster.ledger import Ledger, Submitted
from rofit.cluster.queue import Queued
from rofit.errors import UserError
from rofit.store.runs import RunFolder, RunStore, last_epoch, read_events

# What srun adds to a log after the line that says why.
_LAUNCHER = re.compile(r"srun: .*(Exited with|Job step aborted|Terminating|Terminated)")
TRAINING = "training"


def rows(store: RunStore, queued: dict[str, Queued]) -> list[dict[str, Any]]:
    """Return a row a run and kind of work, of the last job of each shard.

    Columns: run, work, state (``done``, ``failed``, or Slurm's), job, node, epoch,
    minutes left (of the training, by its pace), error (the last line of a failed job's
    log), log.
    """
    ledger = Ledger(store.root)
    return [_row(ledger, store, job, queued) for job in latest(ledger)]


def latest(ledger: Ledger) -> list[Submitted]:
    """Return the jobs that count: of each run and kind those submitted last."""
    arrays: dict[tuple[str, str], dict[str, list[Submitted]]] = {}
    for job in ledger.jobs():
        by_array = arrays.setdefault(job.key, {})
        by_array.setdefault(job.job.partition("_")[0], []).append(job)
    return [job for by_array in arrays.values() for job in list(by_array.values())[-1]]


def _row(
    ledger: Ledger, store: RunStore, job: Submitted, queued: dict[str, Queued]
) -> dict[str, Any]:
    folder, at = store.folder(job.run), queued.get(job.job)
    row: dict[str, Any] = {"run": job.run, "work": job.kind}
    row |= dict.fromkeys(("state", "job", "node", "epoch", "minutes left"))
    row |= {"error": None, "log": None}
    if at is not None:
        row |= {"state": at.state, "job": job.job, "node": at.node or None}
    elif is_done(ledger, folder, job):
        row["state"] = "done"
    else:
        log = ledger.log(job.job)
        row |= {"state": "failed", "job": job.job, "error": last_line(log)}
        row["log"] = str(log)
    if job.kind == TRAINING and row["state"] != "done":
        row |= _pace(folder) if folder.state == "partial" else {}
    if at is None or at.state != "running":
        row["minutes left"] = None
    return row


def is_done(ledger: Ledger, folder: RunFolder, job: Submitted) -> bool:
    """Return whether what a job was submitted for is there."""
    if job.kind == TRAINING:
        return folder.state == "done"
    return ledger.has_ended_well(job.job)


def last_line(log: Path) -> str:
    """Return the last line of a log that says anything about its job."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return "no log was written"
    said = [line for line in lines if line.strip() and not _LAUNCHER.match(line)]
    return said[-1].strip() if said else "the log is empty"


def _pace(folder: RunFolder) -> dict[str, Any]:
    """Return the epoch that a training has reached, and how long the rest takes."""
    epoch = last_epoch(folder.path)
    try:
        epochs = folder.spec.epochs
    except UserError:
        return {}
    begun = [e for e in read_events(folder.path) if e["event"] in ("start", "resume")]
    now = (folder.path / "epochs.jsonl").stat().st_mtime
    left = minutes_left(begun[-1], epoch, epochs, now) if begun else None
    return {"epoch": f"{epoch}/{epochs}", "minutes left": left}


def minutes_left(
    begun: dict[str, Any], epoch: int, epochs: int, now: float
) -> float | None:
    """Return how long the rest of a training takes, in minutes.

    Args:
        begun: the event of its last start or resume, at ``epoch`` of ``at``.
        epoch: the last that has ended, at time *now*.
        epochs: of the run.
        now: in seconds since 1970.

    Returns:
        By the epochs since; None before the first of them.
    """
    made = epoch - begun.get("epoch", 0)
    if made <= 0:
        return None
    parsed = time.strptime(begun["at"], "%Y-%m-%dT%H:%M:%SZ")
    seconds = max(0.0, now - calendar.timegm(parsed)) / made
    return round(seconds * (epochs - epoch) / 60, 1)


def sentence(row: dict[str, Any]) -> str:
    """Return one line of a row: what --wait shows."""
    text = f"{row['run']}  {row['work']}  {row['state']}"
    if row["node"]:
        text += f" on {row['node']}"
    if row["job"]:
        text += f"  job {row['job']}"
    if row["epoch"]:
        text += f"  epoch {row['epoch']}"
    if row["minutes left"] is not None:
        text += f"  {row['minutes left']} min left"
    return text + (f": {row['error']} ({row['log']})" if row["error"] else "")
