"""What is timed: real images that need no network, a spec, rofit's own step on it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rofit.attacks.pgd import PGD
from rofit.bench.plain import ImageFiles, Plain
from rofit.data import datasets
from rofit.data.images import Dataset, Images
from rofit.errors import UserError
from rofit.losses import cross_entropy
from rofit.running.runner import build_training
from rofit.settings.spec import RunSpec
from rofit.training.batches import Batch
from rofit.training.engine import make_attack
from rofit.training.loop import make_step
from rofit.training.plan import EpochPlan


def digits_32() -> Dataset:
    """Return scikit-learn's digits, enlarged to 32x32 pixels and three channels."""
    small = datasets.load("digits", root=Path())

    def enlarged(part: Images) -> Images:
        pixels = np.kron(part.pixels, np.ones((1, 3, 4, 4), np.uint8))
        return Images(pixels, part.labels)

    return Dataset(
        name="digits",
        shown_as="digits, 32x32",
        classes=small.classes,
        train=enlarged(small.train),
        test=enlarged(small.test),
    )


def bench_spec(model: str, batch_size: int, **changes: object) -> RunSpec:
    """Return the run that is timed: PGD-10, crops and flips, as RunSpec's defaults."""
    defaults: dict[str, object] = {
        "dataset": "digits",
        "train_size": 1280,
        "val_size": 0,
        "test_size": 500,
    }
    return RunSpec().replace(model=model, batch_size=batch_size, **defaults | changes)


class Ours:
    """One training by rofit, a step at a time, through the loop's own functions."""

    def __init__(
        self, spec: RunSpec, data: Dataset, device: torch.device, engine: str
    ) -> None:
        """Build it and put it into the last epoch, where label rules are at work.

        Raises:
            UserError: there are fewer training images than a batch takes.
        """
        self.run, _ = build_training(spec, data=data, device=device, engine=engine)
        if spec.batch_size > len(self.run.train):
            raise UserError(
                f"the bench trains on {len(self.run.train)} images; batch_size must "
                f"not be more, got {spec.batch_size}"
            )
        self.run.epoch = spec.epochs - 1
        self.run.method.begin_epoch(self.run.epoch, spec.epochs)
        self.run.model.train()
        self.name = f"rofit {spec.precision} {engine}"
        self.engine = engine
        self.attacks: dict[int, PGD] = {}
        self.batches = self._endless()
        self.held = next(self.batches)

    def step(self) -> None:
        """Load a batch, attack it and train on it."""
        make_step(self.run, *next(self.batches))

    def passes(self, steps: int) -> None:
        """Make *steps* passes of the attack on one batch.

        One attack a number of steps: on a GPU each captures a graph at its first call.
        """
        batch, start = self.held
        if steps not in self.attacks:
            captured = self.run.graphs is not None
            attack = make_attack(self.run.spec, steps, self.engine, captured=captured)
            self.attacks[steps] = attack
        self.attacks[steps](
            self.run.engine.frozen, batch.x, cross_entropy, batch.y, start
        )

    def _endless(self) -> Iterator[tuple[Batch, Tensor]]:
        run, epoch = self.run, 0
        while True:
            plan = EpochPlan(run.spec.seed, epoch, len(run.train))
            for batch, start in run.batches(plan):
                if len(batch.y) == run.spec.batch_size:
                    yield batch, start
            epoch += 1


def baseline(ours: Ours, data: Dataset, *, eval_mode: bool) -> Plain:
    """Return a baseline with a network like *ours*, in the layout scripts use."""
    spec, device = ours.run.spec, ours.run.train.y.device
    untouched, _ = build_training(spec, data=data, device=device)
    return Plain(
        untouched.model.to(memory_format=torch.contiguous_format).train(),
        ImageFiles(data.train.pixels, data.train.labels),
        batch_size=spec.batch_size,
        steps=spec.attack_steps,
        device=device,
        eval_mode=eval_mode,
        # On a CPU they would take the cores of the passes.
        workers=4 if device.type == "cuda" else 0,
    )
