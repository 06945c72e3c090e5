"""A run's folder is put aside, removed or renamed: whole, and never while it trains."""

import json
import shutil
from contextlib import suppress
from pathlib import Path

from rofit.errors import UserError, quoted
from rofit.store.runs import RunFolder, RunStore
from rofit.writing import writing


def set_aside(store: RunStore, run_id: str) -> Path:
    """Move a run into the folder ``earlier``, where nobody reads it; return where.

    Raises:
        UserError: another process holds it.
        NotWritten: the disk does not take it.
    """
    folder = store.folder(run_id)
    with folder.held(), writing(folder.path):
        earlier = store.root / "earlier"
        earlier.mkdir(exist_ok=True)
        taken = len(list(earlier.glob(f"{run_id}-*")))
        return folder.path.rename(earlier / f"{run_id}-{taken + 1}")


def remove(store: RunStore, run_id: str) -> None:
    """Remove a run with all that is in its folder.

    It is put aside first, so that a kill leaves no half of a run to be read.

    Raises:
        UserError: another process holds it.
        NotWritten: the disk does not let it go.
    """
    aside = set_aside(store, run_id)
    with writing(aside):
        shutil.rmtree(aside)
    with suppress(OSError):  # others are kept there
        aside.parent.rmdir()


def rename(store: RunStore, folder: RunFolder, name: str) -> RunFolder:
    """Rename a run that is from elsewhere; return its new folder.

    Raises:
        UserError: the run is rofit's own, whose name follows from its settings; the
            name is taken, or none for a folder; another process holds the run.
        NotWritten: the disk does not take it.
    """
    new, old = store.folder(name), folder.path.name
    if folder.source is None:
        raise UserError(
            f"run {old} was trained by rofit: its name follows from its settings; only "
            "imported and watched runs are renamed"
        )
    if new.path.exists():
        raise UserError(f"there is a run {quoted(name)} already; give another name")
    spec = json.loads((folder.path / "spec.json").read_bytes())
    ids = {key: name for key in ("run_id", "family_id") if spec.get(key) == old}
    with folder.held(), writing(folder.path):
        folder.write_json("spec.json", spec | ids)
        folder.path.rename(new.path)
    return new
