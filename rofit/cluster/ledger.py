"""Which jobs were submitted for the runs of a store.

<store>/slurm/jobs/submitted.jsonl   a line a job: run, kind of work, id, log
<store>/slurm/jobs/12_3_0_log.err    what submitit keeps: logs, scripts, pickles
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from rofit.store.files import append_text, json_lines, locked

_LOCK = 60  # seconds that another command has to submit its jobs


@dataclass(frozen=True)
class Submitted:
    """A job of a run.

    Attributes:
        run: id of the run.
        kind: of work.
        job: its id, ``12_3`` for a task of an array.
    """

    run: str
    kind: str
    job: str

    @property
    def key(self) -> tuple[str, str]:
        """What stands in the queue once, in as many jobs as shards."""
        return self.run, self.kind


class Ledger:
    """The jobs of one store."""

    def __init__(self, store: Path) -> None:
        """Point to its folder; nothing is created yet."""
        self.folder = store / "slurm" / "jobs"
        self._file = self.folder / "submitted.jsonl"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it while jobs are submitted: two commands submit none twice.

        Raises:
            UserError: another command holds it, or the store cannot be written.
        """
        lock, store = self.folder / "lock", self.folder.parents[1]
        busy = f"another command submits jobs for {store}; wait for it"
        make = partial(self.folder.mkdir, parents=True, exist_ok=True)
        with locked(lock, busy, store=store, make=make, seconds=_LOCK):
            yield

    def add(self, jobs: list[Submitted]) -> None:
        """Write down jobs that were submitted."""
        append_text(self._file, "".join(json.dumps(asdict(j)) + "\n" for j in jobs))

    def jobs(self) -> list[Submitted]:
        """Return all jobs that were submitted, in order."""
        rows, _ = json_lines(self._file)
        names = ("run", "kind", "job")
        return [
            Submitted(*(str(row[name]) for name in names))
            for row in rows
            if all(name in row for name in names)
        ]

    def log(self, job: str) -> Path:
        """Return the file that has a job's messages, as submitit calls it."""
        return self.folder / f"{job}_0_log.err"

    def has_ended_well(self, job: str) -> bool:
        """Return whether a job has ended without an error, by submitit's result."""
        return (self.folder / f"{job}_0_result.pkl").exists()
