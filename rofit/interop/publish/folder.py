"""A run as a folder to publish, whole or not at all.

DIR/  model.safetensors config.json network.py load.py   the network
      README.md spec.json                                what it is
      logs.csv logs.parquet                              how it came about
      model_info/ get_model.py                           for RobustBench
"""

import inspect
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import rofit
from rofit.errors import UserError
from rofit.interop.publish import robustbench
from rofit.interop.publish.card import card
from rofit.interop.publish.facts import Facts, gather
from rofit.store.files import flushed
from rofit.store.runs import RunFolder
from rofit.writing import unwritable, writing


class Published(NamedTuple):
    """What a folder holds.

    Attributes:
        files: relative to it, sorted.
        checkpoint: name of the weights.
        epoch: whole epochs that they were trained for.
        without: a sentence: what a claim for RobustBench takes that there is not;
            empty with a claim.
    """

    files: list[str]
    checkpoint: str
    epoch: int
    without: str


def publish(run: RunFolder, target: Path, checkpoint: str = "best") -> Published:
    """Write a run's network and what is known of it into the folder *target*.

    A folder that holds just these files is left as it is.

    Args:
        run: its folder in the store.
        target: a new folder, or an empty one.
        checkpoint: ``best``, ``last``, ``epoch-0100``.

    Raises:
        UserError: no such checkpoint, or one that is damaged; *target* cannot be
            written or holds other files; safetensors is not installed.
        NotWritten: the disk does not take it.
    """
    facts = gather(run, checkpoint)
    claims = robustbench.claims(facts)
    target = target.resolve()
    with _beside(target) as folder:
        _write_network(facts, folder)
        _write_records(facts, folder)
        for claim in claims:
            _write(folder / claim.file, robustbench.as_text(claim))
        if claims:
            source = robustbench.get_model_source(claims)
            _write(folder / "get_model.py", source)
        _write(folder / "README.md", card(facts, claims))
        files = _files(folder)
        if not (target.is_dir() and _files(target) == files and _same(target, folder)):
            _put(folder, target)
    without = "" if claims else robustbench.missing(facts)
    return Published(files, facts.checkpoint.name, facts.checkpoint.epoch, without)


def _write_network(facts: Facts, folder: Path) -> None:
    try:
        from safetensors.torch import save

        from rofit.interop.publish import load
    except ImportError:
        raise UserError(
            "safetensors is not installed, in which weights are published: "
            "pip install safetensors"
        ) from None
    weights = {n: w.contiguous() for n, w in facts.checkpoint.weights.items()}
    flushed(folder / "model.safetensors", save(weights, {"format": "pt"}))
    definition, stored = facts.definition, facts.checkpoint
    config = {
        "run": facts.run_id,
        "checkpoint": {
            "name": stored.name,
            "epoch": stored.epoch,
            "digest": stored.digest,
        },
        "architecture": stored.spec.model,
        "input_range": [0, 1],
        "network": definition.arguments,
        "rofit": rofit.__version__,
    }
    _write(folder / "config.json", json.dumps(config, indent=1) + "\n")
    _write(folder / "network.py", definition.source)
    _write(folder / "load.py", inspect.getsource(load))


def _write_records(facts: Facts, folder: Path) -> None:
    spec = (facts.folder.path / "spec.json").read_text()
    _write(folder / "spec.json", spec)
    if len(facts.logs):
        text = facts.logs.to_csv(index=False, lineterminator="\n")
        _write(folder / "logs.csv", text)
        with writing(folder / "logs.parquet"):
            facts.logs.to_parquet(folder / "logs.parquet", index=False)


def _write(path: Path, text: str) -> None:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    flushed(path, text.encode())


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Make a folder beside *target*, and leave nothing of it behind."""
    folder = target.parent / f".export-{os.getpid()}.tmp"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed
        folder.mkdir()
    except OSError as error:
        raise unwritable(f"the folder {target}", error, "--to") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put(folder: Path, target: Path) -> None:
    """Rename *folder* to *target*, which is not there or is an empty folder.

    Raises:
        UserError: it is neither.
    """
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        what = "holds other files" if target.is_dir() else "is a file"
        raise UserError(
            f"{target} {what}; name a new folder with --to, or an empty one"
        )
    try:
        if target.exists():
            target.rmdir()  # a folder cannot take another's place on every system
        folder.rename(target)
    except OSError as error:
        raise unwritable(f"the folder {target}", error, "--to") from None


def _files(folder: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in files)


def _same(one: Path, other: Path) -> bool:
    """Return whether the files of *other* are the same in *one*."""
    names = _files(other)
    return all((one / n).read_bytes() == (other / n).read_bytes() for n in names)
