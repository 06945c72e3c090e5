"""How far apart trainings end that differ in the order of their sums alone.

``python tests/distributed/rounding.py`` prints a table (docs/cluster.md, "How equal"):
one run on 2 and on 4 processes against the run on one, and what one process does by
itself where its sums are taken otherwise: each batch in reverse order, or on two
threads.
"""

import dataclasses
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1]))  # as pytest finds what stands there

from gloo import on_ranks
from training_helpers import as_vector, built, doubled, with_double_inputs

from rofit.distributed.ranks import ALONE
from rofit.progress import Report
from rofit.settings.recipes import RECIPES
from rofit.settings.scales import SCALES
from rofit.settings.spec import RunSpec
from rofit.training.loop import train_epoch
from rofit.training.stop import Stop

METHODS = ("pgd_at", "sgls", "awp", "adr_ema_awp", "te")
EPOCHS = 4
SIZES = {"train_size": 256, "batch_size": 64, "epochs": EPOCHS, "lr": 0.1}
STEPS = (1, 4, 16)  # one step, one epoch, all four epochs
SEEDS = range(3)


class Snapshots(Report):
    """Keeps weights and statistics after some of the steps."""

    def __init__(self, model):
        self.model, self.made, self.weights = model, 0, []

    def step(self, epoch, step, steps):
        self.made += 1
        if self.made in STEPS:
            self.weights.append(as_vector(self.model.state_dict()).clone())


def trained(method, seed, *, double, ranks=ALONE, backwards=False):
    """Return the weights after STEPS steps on the digits, (3, number of weights)."""
    spec = SCALES["smoke"].apply(RECIPES["sgls"].apply(RunSpec(method=method)))
    run = built(spec.replace(seed=seed, **SIZES), ranks=ranks)
    if double:
        run = with_double_inputs(doubled(run))
    if backwards:
        run = with_batches_backwards(run)
    snapshots = Snapshots(run.model)
    for _ in range(EPOCHS):
        train_epoch(run, Stop(), snapshots)
        run.close_epoch()
    return torch.stack(snapshots.weights)


def with_batches_backwards(run):
    """Give a training the images of each batch in reverse order."""
    batches = run.batches

    def backwards(plan, *, begin=0):
        for batch, start in batches(plan, begin=begin):
            index, x, y = batch.index.flip(0), batch.x.flip(0), batch.y.flip(0)
            yield dataclasses.replace(batch, index=index, x=x, y=y), start.flip(0)

    run.batches = backwards
    return run


def all_trained(methods, seeds, double, ranks=ALONE, **options):
    """Return the weights by method and seed."""
    return {
        (method, seed): trained(method, seed, double=double, ranks=ranks, **options)
        for method in methods
        for seed in seeds
    }


def largest_apart(one, other):
    """Return the largest differences after STEPS steps over all seeds, by method."""
    largest: dict[str, torch.Tensor] = {}
    for (method, seed), weights in one.items():
        difference = (weights - other[method, seed]).abs().amax(dim=1)
        largest[method] = difference.maximum(largest.get(method, difference))
    return {method: values.tolist() for method, values in largest.items()}


def variants(double: bool) -> dict[str, Callable]:
    """Return what is held against one process of one thread: name -> its weights."""
    work = partial(all_trained, METHODS, SEEDS, double)

    def split(count):
        with tempfile.TemporaryDirectory() as folder:
            return on_ranks(count, work, Path(folder))[0]

    def threaded():
        torch.set_num_threads(2)
        return work()

    return {
        "2 processes": partial(split, 2),
        "4 processes": partial(split, 4),
        "1 process, batches backwards": partial(work, backwards=True),
        "1 process, 2 threads": threaded,
    }


def main() -> None:
    """Print the table."""
    print(f"| numbers | compared | 1 step | 1 epoch | {' | '.join(METHODS)} |")
    print("|---" * (4 + len(METHODS)) + "|")
    for double, name in ((True, "float64"), (False, "float32")):
        torch.set_num_threads(1)
        alone = all_trained(METHODS, SEEDS, double)
        for variant, weights in variants(double).items():
            torch.set_num_threads(1)
            apart = largest_apart(weights(), alone)
            step, epoch, end = zip(*apart.values(), strict=True)
            numbers = (max(step), max(epoch), *end)
            cells = " | ".join(f"{number:.0e}" for number in numbers)
            print(f"| {name} | {variant} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
