"""Runs with weights to publish that were never trained, and an environment of torch."""

import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import torch
from made_up_evaluations import finished
from packaging.requirements import Requirement
from stored_runs import stored

from rofit.running.checkpoints import read_checkpoint
from rofit.running.components import build_network
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunFolder
from rofit.training import checkpoint

TINY = RunSpec(dataset="cifar10", model="preact_tiny", width=4, epochs=3)
ROW = {"measured": "epoch_end", "metric": "accuracy"}
ROWS = [
    {"epoch": epoch, "split": split, "attack": attack, "n": n, "value": value} | ROW
    for epoch, add in ((1, 0), (2, 0.125), (3, 0.0625))
    for split, attack, n, value in (
        ("val", "pgd20", 1000, 0.25 + add),
        ("test", "pgd20", 10_000, 0.1875 + add),
        ("test", "none", 10_000, 0.5 + add),
    )
]


def network(spec: RunSpec, *, channels=3, n_classes=10, normalised=True):
    """Return the spec's network with weights and running statistics of chance."""
    torch.manual_seed(0)
    constants = [(0.4, 0.5, 0.6), (0.2, 0.25, 0.3)]
    mean, std = (c[:channels] if normalised else None for c in constants)
    net = build_network(
        spec, channels=channels, image_size=8, n_classes=n_classes, mean=mean, std=std
    )
    for name, buffer in net.named_buffers():
        if "running" in name:
            buffer.uniform_(0.5, 1.5)
    return net.to(memory_format=torch.channels_last).eval()


def weights(
    path: Path, spec: RunSpec, epoch: int, *, n_classes: int = 10, **more: Any
) -> None:
    """Write a checkpoint of a network of chance."""
    model = network(spec, n_classes=n_classes).state_dict()
    checkpoint.save(
        {"spec": spec.as_dict(), "epoch": epoch, "model": model} | more, path
    )


def publishable(root: Path, spec: RunSpec = TINY, rows: Any = ROWS) -> RunFolder:
    """Put a run with best (of epoch 2) and last, as if trained, into ``runs``."""
    folder = stored(root / "runs", spec, rows)
    weights(folder.checkpoints / "best.pt", spec, 2)
    weights(folder.checkpoints / "last.pt", spec, spec.epochs, step=0)
    return folder


def evaluated(folder: RunFolder, attack: str, accuracy: float, **about: Any) -> None:
    """Add a finished evaluation of the weights of best."""
    best = read_checkpoint(folder.checkpoints / "best.pt", torch.device("cpu"))
    kind = "clean" if attack == "none" else attack.rstrip("0123456789")
    result = {
        "checkpoint": "best",
        "epoch": best.epoch,
        "network": best.digest,
        "kind": kind,
        "attack": attack,
        "norm": "linf",
        "epsilon": 0.0 if kind == "clean" else 8 / 255,
        "n": 10_000,
        "accuracy": accuracy,
        "after": {"clean": 0.84375, attack: accuracy},
        "environment": {"versions": {"pyautoattack": "0.2.9"}},
    } | about
    keys = ("norm", "epsilon", "n", "seed", "checkpoint")
    tail = "-".join(f"{result.get(key, 0)}" for key in keys)
    finished(folder, f"best-{attack}-{tail}", result)


def bare_environment(folder: Path) -> list[str]:
    """Return the words that begin a Python which has torch and safetensors alone.

    *folder* gets links to the files of the two and of what they require; nothing else
    of this environment's packages can be imported.
    """
    folder.mkdir()
    for part in sorted(_parts({"torch", "safetensors"})):
        link = folder / part.name
        if not link.exists():
            link.symlink_to(part)
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); exec(sys.argv.pop(1))"
    return [sys.executable, "-I", "-S", "-c", code]


def _parts(names: set[str]) -> Iterator[Path]:
    """Yield what distributions, and those that they require, have in site-packages."""
    done: set[str] = set()
    while names - done:
        name = min(names - done)
        done.add(name)
        package = distribution(name)
        site = Path(str(package.locate_file("")))
        tops = {file.parts[0] for file in package.files or () if file.parts[0] != ".."}
        yield from (site / top for top in tops)
        for text in package.requires or ():
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                names = names | {needed.name}
