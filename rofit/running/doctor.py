"""What is wrong in a store of runs: damaged, missing, left over, another run's.

Nothing is changed but by `Finding.mend`, which removes only what is made again: by the
same command as before, or here.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from rofit.errors import UserError
from rofit.methods.resolve import resolve
from rofit.settings.spec import RunSpec
from rofit.store import log
from rofit.store.columns import COLUMNS_FILE, load_columns
from rofit.store.digests import LEDGER, is_sound, lines, names, sha256
from rofit.store.files import is_locked, json_lines
from rofit.store.rows import keep_columns
from rofit.store.runs import RunFolder, RunStore
from rofit.training import checkpoint
from rofit.writing import replace, temporaries

_FILES = {"spec.json", "env.json", log.LOG, "events.jsonl", "done.json", COLUMNS_FILE}
_FILES |= {LEDGER, "lock"}
_FOLDERS = {"samples", "checkpoints", "evaluations"}


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        run: folder in the store.
        file: relative to it.
        what: damaged, missing, ..., and what follows.
        mend: removes what is made again, or makes it; None where nothing can be done.
    """

    run: str
    file: str
    what: str
    mend: Callable[[], object] | None = None


def examine(store: RunStore) -> Iterator[Finding]:
    """Yield all findings in a store, run by run.

    Raises:
        UserError: there is no such folder.
    """
    if not store.root.is_dir():
        raise UserError(f"there is no store {store.root}")
    for path in sorted(store.root.iterdir()):
        if not path.is_dir():
            yield Finding("", path.name, "is no run's")
        elif not (path / "spec.json").exists():
            yield from _without_spec(path)
        else:
            yield from _in_run(RunFolder(path))


def _without_spec(path: Path) -> Iterator[Finding]:
    unfinished = _temporary(path / "spec.json", path)
    if unfinished:
        yield _left_over(unfinished, path)
    elif any(path.glob("*.jsonl")):
        yield Finding(path.name, "spec.json", "missing: nobody reads this run")


def examine_results(results: Path) -> Iterator[Finding]:
    """Yield what is damaged or missing of the tables that were published."""
    for ledger in sorted(results.glob(f"*/*/{LEDGER}")):
        folder = ledger.parent
        for name in names(folder):
            if not (folder / name).exists() or not is_sound(folder / name, folder):
                state = "damaged" if (folder / name).exists() else "missing"
                what = f"{state}: the same command writes it again"
                yield Finding(str(folder.relative_to(results)), name, what)


def _in_run(run: RunFolder) -> Iterator[Finding]:
    name = run.path.name
    try:
        spec = run.spec if run.source else resolve(run.spec)  # a method of others
    except UserError as error:
        yield Finding(name, "spec.json", f"damaged: nobody reads this run ({error})")
        return
    if spec.run_id != name and not run.source:
        yield Finding(name, "spec.json", f"is of run {spec.run_id}")
    for file, what, mend in (
        *_log(run, spec),
        *_digested(run.path),
        *_evaluations(run),
        *_checkpoints(run, spec),
        *_others(run),
    ):
        yield Finding(name, file, what, mend)


_Item = tuple[str, str, Callable[[], object] | None]


def _is_trained(run: RunFolder) -> bool:
    """Return whether all epochs are done, of a run that has any."""
    imported = run.source is not None and run.source.kind == "checkpoint"
    return run.state == "done" and not imported


def _log(run: RunFolder, spec: RunSpec) -> Iterator[_Item]:
    ended = _is_trained(run)
    last = spec.epochs if ended else max(log.seals(run.path), default=0)
    lost = log.lost(run.path, last)
    if run.source:  # a log of others may lack epochs: those that were written
        lost = sorted(set(lost) & set(log.seals(run.path)))
    if lost:
        copied = "; the copy in columns has them" if load_columns(run.path) else ""
        yield log.LOG, f"has lost the rows of {log.named(lost)}{copied}", None
    for file in (log.LOG, "events.jsonl", LEDGER):
        for number in json_lines(run.path / file)[1]:
            yield file, f"line {number} cannot be read", None
    copy = run.path / COLUMNS_FILE
    if ended and not lost and not (copy.exists() and is_sound(copy, run.path)):
        yield COLUMNS_FILE, "missing or damaged", partial(_columns_anew, run)


def _columns_anew(run: RunFolder) -> None:
    (run.path / COLUMNS_FILE).unlink(missing_ok=True)
    keep_columns(run)


def _digested(root: Path) -> Iterator[_Item]:
    """Yield the damaged and missing files that the ledger of a folder names."""
    for name in names(root):
        path = root / name
        again = name == "done.json" or "-checks-" in name
        if name in (log.LOG, COLUMNS_FILE) or name.startswith("part-"):
            continue
        if not path.exists():
            if not (again or _temporary(path, root)):
                yield name, "missing", None
        elif not is_sound(path, root):
            what = "damaged: the same command makes it again" if again else "damaged"
            yield name, what, path.unlink if again else None


def _temporary(path: Path, root: Path) -> Path | None:
    """Return what a killed writer would have put in place next, as *path*."""
    digests = {line.get("sha256") for line in lines(root, _name(path, root))}
    for temporary in temporaries(path):
        if temporary.exists() and sha256(temporary.read_bytes()) in digests:
            return temporary
    return None


def _left_over(temporary: Path, root: Path) -> Finding:
    what = "left over by a writer that was killed"
    mend = partial(_settle, temporary, root)
    return Finding(root.name, _name(temporary, root), what, mend)


def _settle(temporary: Path, root: Path) -> None:
    """Put in place what a killed writer would have, or remove it."""
    for name in names(root):
        path = root / name
        if not path.exists() and _temporary(path, root) == temporary:
            replace(temporary, path)
            return
    temporary.unlink()


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _evaluations(run: RunFolder) -> Iterator[_Item]:
    for folder in sorted((run.path / "evaluations").glob("*/")):
        for name, what, _ in _digested(folder):
            file = (folder / name).relative_to(run.path).as_posix()
            what = f"{what}: the same command evaluates again"
            yield file, what, partial(shutil.rmtree, folder)
            break


def _checkpoints(run: RunFolder, spec: RunSpec) -> Iterator[_Item]:
    for path in sorted(run.checkpoints.glob("*.pt")):
        file = _name(path, run.path)
        state = checkpoint.load(path, torch.device("cpu"))
        if state is None:
            earlier = path.name == checkpoint.LAST
            what = ": the run goes on from the one before" if earlier else ""
            yield file, f"damaged{what}", path.unlink if earlier else None
        elif (owner := RunSpec.from_dict(state["spec"]).run_id) != spec.run_id:
            yield file, f"is of run {owner}", None
    if _is_trained(run) and not (run.checkpoints / checkpoint.BEST).exists():
        if run.checkpoints.exists():
            what = "missing: the run in another store makes it again"
            yield f"checkpoints/{checkpoint.BEST}", what, None


def _others(run: RunFolder) -> Iterator[_Item]:
    """Yield what killed writers have left over, and what is no run's file."""
    if not is_locked(run.path / "lock"):
        for path in sorted(run.path.rglob("*.tmp")):
            finding = _left_over(path, run.path)
            yield finding.file, finding.what, finding.mend
    for path in sorted(run.path.iterdir()):
        known = _FOLDERS if path.is_dir() else _FILES
        if path.name not in known and path.suffix != ".tmp":
            yield path.name, "is no run's", None
