"""The run store: a folder a run, plain files, append-only, one writer at a time.

    runs/<run_id>/  spec.json      ids, every field, every resolved parameter
                    env.json       versions, device, commit, digest of the data
                    epochs.jsonl   one flat row a line: the numbers
                    events.jsonl   starts, resumes, stops, seconds: not the numbers
                    samples/       per-sample tables (Parquet)
                    checkpoints/   last.pt best.pt epoch-0100.pt
                    done.json      written last
                    digests.jsonl  of all of these but checkpoints, which have their own

Rows hold nothing of the clock, so that a resumed run's file equals an unbroken one's.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rofit.errors import UserError, quoted
from rofit.names import check_name
from rofit.settings.spec import RunSpec
from rofit.store import log
from rofit.store.digests import put, read_json, write_json
from rofit.store.files import append_text, json_lines, locked
from rofit.store.source import Source
from rofit.store.stored_spec import holds_spec, read_spec
from rofit.writing import writing

if TYPE_CHECKING:
    import pandas as pd


class RunFolder:
    """The folder of one run."""

    def __init__(self, path: Path) -> None:
        """Point to the folder; nothing is created yet."""
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.samples = path / "samples"
        self._lock: os.stat_result | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder for writing; make it where it is new.

        Raises:
            UserError: another process holds it, or it cannot be written.
        """
        busy = f"run {self.path.name} is being trained by another process; wait for it"
        make = partial(self.path.mkdir, parents=True, exist_ok=True)
        lock = self.path / "lock"
        with locked(lock, busy, store=self.path.parent, make=make):
            self._lock = os.stat(lock)
            yield

    @contextmanager
    def opened(self, spec: dict[str, Any]) -> Iterator["RunFolder"]:
        """Hold the folder for writing, as that of the run of *spec*.

        Raises:
            UserError: another process holds it, it cannot be written, or it belongs to
                another spec.
        """
        with self.held():
            self._claim(spec)
            yield self

    def require_same(self) -> None:
        """Raise NotWritten if the folder was removed or replaced since its opening."""
        with writing(self.path):
            if self._lock and not os.path.samestat(
                self._lock, os.stat(self.path / "lock")
            ):
                raise FileNotFoundError("it is another folder now")

    @property
    def spec(self) -> RunSpec:
        """The run's spec, method parameters resolved.

        Raises:
            UserError: spec.json is missing or not readable.
        """
        return read_spec(self.path / "spec.json").spec

    @property
    def source(self) -> Source | None:
        """Where a run is from that rofit did not train, None for its own.

        Raises:
            UserError: spec.json is missing or not readable.
        """
        return read_spec(self.path / "spec.json").source

    @property
    def state(self) -> str:
        """``done``, ``partial`` (an epoch at least), ``started`` or ``missing``."""
        if (self.path / "done.json").exists():
            return "done"
        if (self.path / "epochs.jsonl").exists():
            return "partial"
        return "started" if (self.path / "spec.json").exists() else "missing"

    def append(self, rows: list[dict[str, Any]]) -> None:
        """Add the rows of an epoch to the numbers, sealed and flushed to the disk."""
        log.append_epoch(self.path, rows)

    def keep_epochs_to(self, epoch: int) -> None:
        """Drop the rows of later epochs, and a line that a kill has torn."""
        log.keep_epochs_to(self.path, epoch)

    def note_environment(self, environment: dict[str, Any]) -> None:
        """Write the versions and the device that the run was begun with."""
        self.write_json("env.json", environment)

    def write_sample(self, name: str, table: "pd.DataFrame | dict[str, Any]") -> None:
        """Write samples, a table or its columns, as ``samples/<name>.parquet``."""
        import pandas as pd

        file = self.samples / f"{name}.parquet"
        temporary = self.samples / f"{name}.tmp"
        with writing(file):
            self.samples.mkdir(exist_ok=True)
            pd.DataFrame(table).to_parquet(temporary, index=False)
        put(temporary, file, self.path)

    def event(self, kind: str, **details: Any) -> None:
        """Add an event with the time of day."""
        time_of_day = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = json.dumps({"event": kind, "at": time_of_day} | details)
        append_text(self.path / "events.jsonl", line + "\n")

    def watched(self) -> set[str]:
        """Return the diagnostics that watched every start and resume of the run."""
        sets = [
            set(event.get("diagnostics", ()))
            for event in read_events(self.path)
            if event["event"] in ("start", "resume")
        ]
        return set.intersection(*sets) if sets else set()

    def finish(self, summary: dict[str, Any]) -> None:
        """Mark the run as done."""
        self.write_json("done.json", summary)

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write a file of the folder, whole, with its digest."""
        write_json(self.path / name, content, self.path)

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Return what `write_json` wrote; None if it is missing or damaged."""
        return read_json(self.path / name, self.path)

    def _claim(self, spec: dict[str, Any]) -> None:
        path = self.path / "spec.json"
        if not path.exists():
            self.write_json("spec.json", spec)
        elif not holds_spec(path, spec):
            raise UserError(
                f"{path} is not the spec of run {self.path.name}; move that folder away"
            )


class RunStore:
    """A folder of runs."""

    def __init__(self, root: Path) -> None:
        """Point to the folder; it need not exist yet."""
        self.root = root

    def folder(self, run_id: str) -> RunFolder:
        """Return a run's folder, whether it exists or not.

        Raises:
            UserError: an id that would lead out of the store.
        """
        check_name("a run's id", run_id, longest=255)
        return RunFolder(self.root / run_id)

    def find(self, text: str) -> RunFolder:
        """Return the run whose id is *text* or begins or ends with it.

        Raises:
            UserError: no run or several runs match.
        """
        names = sorted(os.listdir(self.root)) if self.root.is_dir() else []
        close = [  # a look at their folders alone: a store may have thousands
            name
            for name in names
            if (name.startswith(text) or name.endswith(text))
            and os.path.exists(self.root / name / "spec.json")
        ]
        if text in close:
            return self.folder(text)
        if len(close) == 1:
            return self.folder(close[0])
        matching = ", ".join(close) if close else "none"
        raise UserError(
            f"no single run {quoted(text)} in {self.root}; matching: {matching}"
        )

    def runs(self) -> list[RunFolder]:
        """Return the folders of all runs that were started, sorted by name."""
        paths = sorted(self.root.glob("*/spec.json")) if self.root.is_dir() else []
        return [RunFolder(path.parent) for path in paths]


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a run's log; what is no row is left out."""
    objects, _ = json_lines(path / log.LOG)
    return (row for row in objects if isinstance(row.get("epoch"), int))


def last_epoch(path: Path) -> int:
    """Return the last epoch that has rows in a run's log, 0 without any."""
    return max((row["epoch"] for row in read_rows(path)), default=0)


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of a run; a line that is none is left out."""
    objects, _ = json_lines(path / "events.jsonl")
    return (event for event in objects if isinstance(event.get("event"), str))
