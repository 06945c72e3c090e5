"""The run store: a folder a run, plain files, append-only, one writer at a time.

    runs/<run_id>/  spec.json      ids, every field, every resolved parameter
                    env.json       versions, device, commit, digest of the data
                    epochs.jsonl   one flat row a line: the numbers
                    events.jsonl   starts, resumes, stops, seconds: not the numbers
                    samples/       per-sample tables (Parquet)
                    checkpoints/   last.pt best.pt epoch-0100.pt
                    done.json      written last

Rows hold nothing of the clock, so that a resumed run's file equals an unbroken one's.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from rofit.errors import UserError
from rofit.settings.spec import RunSpec
from rofit.writing import append_text, unwritable, writes_file, writing

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
    def opened(self, spec: dict[str, Any]) -> Iterator["RunFolder"]:
        """Hold the folder for writing; make it where it is new.

        Raises:
            UserError: another process holds it, it cannot be written, or it belongs to
                another spec.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            held = FileLock(self.path / "lock", timeout=0).acquire()
        except Timeout:
            raise UserError(
                f"run {self.path.name} is being trained by another process; wait for it"
            ) from None
        except OSError as error:
            raise unwritable(
                f"the store {self.path.parent}", error, "--store"
            ) from None
        with held:
            self._lock = os.stat(self.path / "lock")
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
        return read_spec(self.path / "spec.json")[0]

    @property
    def state(self) -> str:
        """``done``, ``partial`` (an epoch at least), ``started`` or ``missing``."""
        if (self.path / "done.json").exists():
            return "done"
        if (self.path / "epochs.jsonl").exists():
            return "partial"
        return "started" if (self.path / "spec.json").exists() else "missing"

    def append(self, rows: list[dict[str, Any]]) -> None:
        """Add rows to the numbers, flushed to the disk."""
        append_text(self.path / "epochs.jsonl", _lines(rows))

    def keep_epochs_to(self, epoch: int) -> None:
        """Drop the rows of later epochs, and a line that a kill has torn."""
        rows = [row for row in read_rows(self.path) if row["epoch"] <= epoch]
        if not rows:
            (self.path / "epochs.jsonl").unlink(missing_ok=True)
            return
        write_text(self.path / "epochs.jsonl", _lines(rows))

    def note_environment(self, environment: dict[str, Any]) -> None:
        """Write the versions and the device that the run was begun with."""
        write_text(self.path / "env.json", json.dumps(environment, indent=1) + "\n")

    def write_sample(self, name: str, table: "pd.DataFrame | dict[str, Any]") -> None:
        """Write samples, a table or its columns, as ``samples/<name>.parquet``."""
        import pandas as pd

        file = self.samples / f"{name}.parquet"
        with writing(file):
            self.samples.mkdir(exist_ok=True)
            temporary = self.samples / f"{name}.tmp"
            pd.DataFrame(table).to_parquet(temporary, index=False)
            os.replace(temporary, file)

    def event(self, kind: str, **details: Any) -> None:
        """Add an event with the time of day."""
        time_of_day = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        row = {"event": kind, "at": time_of_day} | details
        append_text(self.path / "events.jsonl", _lines([row]))

    def watched(self) -> set[str]:
        """Return the diagnostics that watched every start and resume of the run."""
        sets = [
            set(event.get("diagnostics", ()))
            for event in read_rows(self.path, "events.jsonl")
            if event["event"] in ("start", "resume")
        ]
        return set.intersection(*sets) if sets else set()

    def finish(self, summary: dict[str, Any]) -> None:
        """Mark the run as done."""
        write_text(self.path / "done.json", json.dumps(summary, indent=1) + "\n")

    def _claim(self, spec: dict[str, Any]) -> None:
        path = self.path / "spec.json"
        if not path.exists():
            write_text(path, json.dumps(spec, indent=1) + "\n")
        elif not _holds_spec(path, spec):
            raise UserError(
                f"{path} is not the spec of run {self.path.name}; move that folder away"
            )


class RunStore:
    """A folder of runs."""

    def __init__(self, root: Path) -> None:
        """Point to the folder; it need not exist yet."""
        self.root = root

    def folder(self, run_id: str) -> RunFolder:
        """Return a run's folder, whether it exists or not."""
        return RunFolder(self.root / run_id)

    def find(self, text: str) -> RunFolder:
        """Return the run whose id is *text* or begins or ends with it.

        Raises:
            UserError: no run or several runs match.
        """
        ids = [folder.path.name for folder in self.runs()]
        if text in ids:
            return self.folder(text)
        close = [name for name in ids if name.startswith(text) or name.endswith(text)]
        if len(close) == 1:
            return self.folder(close[0])
        matching = ", ".join(close) if close else "none"
        raise UserError(f"no single run {text!r} in {self.root}; matching: {matching}")

    def runs(self) -> list[RunFolder]:
        """Return the folders of all runs that were started, sorted by name."""
        paths = sorted(self.root.glob("*/spec.json")) if self.root.is_dir() else []
        return [RunFolder(path.parent) for path in paths]


def read_spec(file: Path) -> tuple[RunSpec, str]:
    """Return the spec in a spec.json, method parameters resolved, and its family id.

    Raises:
        UserError: the file is missing or not readable.
    """
    try:
        stored = json.loads(file.read_text())
        fields = {k: v for k, v in stored.items() if k not in ("run_id", "family_id")}
        spec = RunSpec.from_dict(fields)
        return spec, stored.get("family_id", spec.family_id)
    except UserError:
        raise
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"expected a spec.json at {file}, got {error}") from None


def read_rows(path: Path, name: str = "epochs.jsonl") -> Iterator[dict[str, Any]]:
    """Yield the rows of a run's file; a torn line is left out."""
    file = path / name
    for line in file.read_text().splitlines() if file.exists() else []:
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


@writes_file
def write_text(path: Path, text: str) -> None:
    """Write *text* so that the file is the old or the new one, whole.

    Raises:
        NotWritten: the disk does not take it.
    """
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _holds_spec(file: Path, spec: dict[str, Any]) -> bool:
    """Return whether a spec.json holds *spec*.

    A field or parameter that it lacks is younger than the file and has its default.
    """
    try:
        stored = json.loads(file.read_text())
        if stored == spec:
            return True
        params = spec["method_params"] | stored["method_params"]
    except (ValueError, LookupError, TypeError):
        return False
    return RunSpec().as_dict() | stored | {"method_params": params} == spec


def _lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)
