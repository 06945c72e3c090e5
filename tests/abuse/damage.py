"""Damage to every kind of file of a run: noticed, or without consequence.

A run is trained and evaluated; then, trial by trial, one of its files is damaged in a
copy, and all numbers are read: they are what they were, or it is said which are not.
"""

import random
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from rofit import evaluate, load_logs, train
from rofit.errors import UserError
from rofit.settings.scales import SCALES
from rofit.settings.spec import RunSpec
from rofit.store.evaluations import evaluations, read_verdicts
from rofit.store.runs import RunFolder, RunStore
from rofit.store.samples import load_samples
from rofit.training import checkpoint

SAMPLES = ("predictions", "embedding")


def make_store(root: Path) -> None:
    """Train and evaluate one small run of three epochs."""
    spec = SCALES["smoke"].apply(RunSpec(method="pgd_at", epochs=3))
    spec = spec.replace(epochs=3, train_size=64, val_size=16, test_size=16, width=4)
    train(spec, diagnostics=("gradient_norm", *SAMPLES), store=root, data=root / "data")
    attacks = ("clean", "pgd5")
    evaluate(spec.run_id, attacks=attacks, store=root, data=root / "data")


def numbers(root: Path) -> dict[str, Any]:
    """Return all that can be read of the store's run, by where it comes from."""
    (run,) = RunStore(root).runs()
    read: dict[str, Any] = {"logs": load_logs(root, [run.path.name])}
    for name in SAMPLES:
        read[name] = load_samples(root, name, [run.path.name])
    for result in evaluations(run):
        read[result["name"]] = read_verdicts(run, result["name"])
        read[f"{result['name']} result"] = {
            key: result[key] for key in ("accuracy", "after", "network", "n")
        }
    read["done"] = run.read_json("done.json")
    for path in sorted(run.checkpoints.glob("*.pt")):
        read[path.name] = checkpoint.load(path, torch.device("cpu"))
    return read


def _flip(data: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(data)
    damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _zeros(data: bytes, rng: random.Random) -> bytes:
    begin, size = rng.randrange(len(data)), rng.choice((16, 512, 4096))
    return data[:begin] + bytes(len(data[begin : begin + size])) + data[begin + size :]


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def _line_lost(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    del lines[rng.randrange(len(lines))]
    return b"".join(lines)


def _digit(data: bytes, rng: random.Random) -> bytes:
    places = [i for i, byte in enumerate(data) if chr(byte).isdigit()]
    place = rng.choice(places or [0])
    return data[:place] + str(rng.randrange(10)).encode() + data[place + 1 :]


def _twice(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    place = rng.randrange(len(lines))
    return b"".join([*lines[:place], lines[place], *lines[place:]])


BYTES = (_flip, _flip, _zeros, _cut)
TEXTS = (*BYTES, _line_lost, _digit, _twice)
_UNREAD = ("lock", "env.json", "events.jsonl")  # no number comes from them


@dataclass(frozen=True)
class Trial:
    """One damaged file, and what came of it."""

    file: str
    damage: str
    outcome: str  # harmless, noticed, or what is wrong


def trials(store: Path, work: Path, n: int, seed: int) -> list[Trial]:
    """Damage *n* files of copies of *store* made by `make_store`."""
    rng = random.Random(seed)
    reference = numbers(store)
    (run,) = RunStore(store).runs()
    files = [
        path.relative_to(store)
        for path in sorted(run.path.rglob("*"))
        if path.is_file() and path.name not in _UNREAD and path.stat().st_size
        if not path.name.startswith("part-") and path.suffix != ".lock"
    ]
    done = []
    for _ in range(n):
        file = rng.choice(files)
        kinds = TEXTS if file.suffix in (".json", ".jsonl") else BYTES
        kind = rng.choice(kinds)
        copy = work / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(store / run.path.name, copy / run.path.name)
        path = copy / file
        path.write_bytes(kind(path.read_bytes(), rng))
        outcome = _outcome(lambda root=copy: numbers(root), reference)
        done.append(Trial(Path(*file.parts[1:]).as_posix(), kind.__name__, outcome))
    return done


def _outcome(read: Callable[[], dict[str, Any]], reference: dict[str, Any]) -> str:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            result = read()
        except UserError:
            return "noticed"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    wrong = [key for key in reference if not _same(result.get(key), reference[key])]
    if not wrong:
        return "harmless"
    unread = all(result.get(key) is None and key.endswith(".pt") for key in wrong)
    return "noticed" if said or unread else f"silently other: {wrong}"


def _same(value: Any, expected: Any) -> bool:
    if isinstance(expected, pd.DataFrame):
        if not isinstance(value, pd.DataFrame):
            return False
        try:
            pd.testing.assert_frame_equal(value[list(expected)], expected)
        except (AssertionError, KeyError):
            return False
        return True
    if isinstance(expected, torch.Tensor):
        return isinstance(value, torch.Tensor) and torch.equal(value, expected)
    if isinstance(expected, dict):
        keys = isinstance(value, dict) and value.keys() == expected.keys()
        return keys and all(_same(value[key], expected[key]) for key in expected)
    if isinstance(expected, (list, tuple)):
        alike = isinstance(value, type(expected)) and len(value) == len(expected)
        return alike and all(map(_same, value, expected))
    return bool(value == expected)


def run_folder(store: Path) -> RunFolder:
    """Return the folder of the store's run."""
    (run,) = RunStore(store).runs()
    return run
