"""The same diagnostics for a training loop outside of rofit.

A few lines inside anyone's PyTorch loop write the same store, which load_logs reads and
the figures draw:

    from rofit.watch import watch

    watched = watch(model, train=(x, y), test=(x_test, y_test), epochs=30, name="mine")
    for epoch in range(30):
        for xb, yb in loader:
            ...
            loss.backward()
            watched.step(logits, yb, loss)
            optimizer.step()
        watched.epoch(lr=scheduler.get_last_lr()[0])
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rofit.attacks.pgd import PGD
from rofit.diagnostics import DIAGNOSTICS, Monitor, find_diagnostic
from rofit.diagnostics.monitor import unchanged
from rofit.diagnostics.view import EpochView, Split
from rofit.errors import UserError, unknown
from rofit.precision import PrecisionCopy
from rofit.settings.knobs import knob_types
from rofit.settings.spec import RunSpec
from rofit.store.environment import environment
from rofit.store.rows import keep_columns
from rofit.store.runs import RunStore
from rofit.store.source import Source
from rofit.training.batches import DeviceImages
from rofit.training.curves import LearningCurves
from rofit.training.epoch_end import end_epoch

LabelledImages = tuple[Tensor, Tensor]


class UnitImages(DeviceImages):
    """Images that are already (N, C, H, W) in [0, 1] on the training device."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        """Take images and classes as they are."""
        fits = x.ndim == 4 and y.shape == x.shape[:1] and x.numel() > 0
        if not fits or not x.is_floating_point() or y.dtype != torch.int64:
            raise UserError(
                "expected images (N, C, H, W) as floats in [0, 1] and N classes as "
                f"int64, got {x.dtype} {tuple(x.shape)} and {y.dtype} {tuple(y.shape)}"
            )
        if not 0 <= x.min() <= x.max() <= 1:
            raise UserError(
                f"images must be in [0, 1], got {x.min():.3g} to {x.max():.3g}; put "
                "the normalisation into the model, so that epsilon keeps its unit"
            )
        self.pixels, self.y = x, y

    def unit(self) -> Tensor:
        """Return the images."""
        return self.pixels


class WatchedTraining:
    """One training that is watched; made by `watch`."""

    def __init__(
        self,
        model: nn.Module,
        spec: RunSpec,
        images: dict[str, UnitImages],
        true: Tensor,
        diagnostics: Iterable[str],
        store: Path,
    ) -> None:
        """Open the run's folder, and keep the weights that training begins from."""
        self.model, self.spec, self.done = model, spec, 0
        self.n_classes = -1  # known at the first step
        self.network = PrecisionCopy(model, next(model.parameters()).dtype).network
        attacks = [
            PGD(spec.threat, steps, spec.step_size) if steps else None
            for steps in (spec.attack_steps, spec.eval_steps)
        ]
        assert attacks[1] is not None, "eval_steps is at least 1"
        self.curves = LearningCurves(
            images["train"],
            {name: split for name, split in images.items() if name != "train"},
            trained_with=attacks[0],
            evaluated_with=attacks[1],
            seed=spec.seed,
        )
        requested = tuple(diagnostics)
        self.monitor = Monitor(
            {name: find_diagnostic(name)() for name in requested or DIAGNOSTICS},
            lenient=not requested,
        )
        truth = {name: split.y for name, split in images.items()} | {"train": true}
        self.splits = {
            name: Split(lambda n, split=split: split.unit()[:n], split.y, truth[name])  # type: ignore[misc]
            for name, split in images.items()
        }
        self.initial = {n: p.detach().clone() for n, p in model.named_parameters()}
        self.monitor.require(requested, self._view(None))
        self.folder = RunStore(store).folder(spec.run_id)
        if self.folder.state != "missing":
            raise UserError(
                f"{self.folder.path} holds a run already; give another name or seed, "
                "or move it away"
            )
        with self.folder.opened(_described(spec)):
            self.folder.note_environment(environment("not told", 0))
            self.folder.event("start", diagnostics=sorted(self.monitor.diagnostics))

    def step(
        self, logits: Tensor, y: Tensor, loss: Tensor, soft: Tensor | None = None
    ) -> None:
        """Record a step, after ``loss.backward()`` and before the optimizer's.

        Args:
            logits: (B, K) of what the network was trained on.
            y: given classes (B,).
            loss: the mean loss, a scalar.
            soft: labels (B, K) if they were not one-hot.
        """
        if soft is None:
            soft = nn.functional.one_hot(y, logits.shape[1]).float()
        self.n_classes = logits.shape[1]
        self.curves.record_step(logits.detach(), y)
        self.monitor.record_step(self.model, logits.detach(), y, soft, loss.detach())

    def epoch(self, *, lr: float, soft: Tensor | None = None) -> float:
        """Evaluate after an epoch and write its rows.

        Args:
            lr: learning rate of the epoch.
            soft: the labels (N, K) trained on now, if they are not one-hot.

        Returns:
            Robust accuracy that chooses best, NaN where ``eval_every`` skips the epoch.

        Raises:
            UserError: no step was recorded since the last epoch, or logits not finite.
        """
        if not self.curves.sums.any():
            raise UserError("call step() after every backward pass, then epoch()")
        self.done += 1
        with unchanged(self.model):  # such a network may draw in eval mode too
            score = end_epoch(
                self.folder,
                self.done,
                self.network,
                self.curves,
                self.monitor,
                lambda: self._view(soft),
                lr=lr,
                evaluated=self.done in self.spec.evaluated_epochs,
            )
        if self.done == self.spec.epochs:
            self.folder.event("stop", watching=self.monitor.seconds)
            keep_columns(self.folder)
            self.folder.finish({"epochs": self.done})
        return score

    def _view(self, soft: Tensor | None) -> EpochView:
        given, true = self.splits["train"].y, self.splits["train"].true

        def labels(index: Tensor) -> Tensor:
            if soft is not None:
                return soft[index]
            return nn.functional.one_hot(given[index], self.n_classes).float()

        return EpochView(
            spec=self.spec,
            epoch=self.done,
            model=self.model,
            network=self.network,
            attack=self.curves.evaluated_with,
            splits=self.splits,
            redrawn=given != true,
            labels=labels,
            initial=self.initial,
            logits_at_hand=dict(self.curves.logits),
        )


def watch(
    model: nn.Module,
    *,
    train: LabelledImages,
    test: LabelledImages,
    epochs: int,
    val: LabelledImages | None = None,
    true: Tensor | None = None,
    diagnostics: Iterable[str] = (),
    store: str | Path = "runs",
    name: str = "theirs",
    dataset: str = "theirs",
    **settings: Any,
) -> WatchedTraining:
    """Watch a training loop outside of rofit; see the head of this file.

    Args:
        model: maps inputs in [0, 1] to logits; on its device, not yet trained. Its
            parameters must be changed in place, as optimizers do.
        train: images (N, C, H, W) in [0, 1] and given classes (N,), on that device,
            in random order: diagnostics measure the first few hundred.
        test: the same of the test images.
        epochs: how many there will be.
        val: held-out training images that choose best; test images do without.
        true: true classes of the training images, if given ones are noisy.
        diagnostics: names; if empty, all that can be measured: one that fails on
            this network is warned of and left out.
        store: folder of runs.
        name: of the method, as logs and figures will call it.
        dataset: likewise.
        **settings: other fields of RunSpec that the logs should hold: seed, epsilon,
            norm, eval_steps, attack_steps (0: no attack), batch_size, lr ...

    Raises:
        UserError: images that are not in [0, 1], an unknown diagnostic or field, one
            that was named and cannot be measured, or a run of this name and
            settings that is there already.
    """
    unknown_fields = set(settings) - set(knob_types(RunSpec))
    if unknown_fields:
        raise unknown("field of a run", sorted(unknown_fields)[0], knob_types(RunSpec))
    spec = RunSpec(
        method=name, dataset=dataset, model=type(model).__name__, epochs=epochs
    )
    sizes = {"train_size": len(train[1]), "val_size": len(val[1]) if val else 0}
    spec = spec.replace(**sizes | settings)
    tensors = {"train": train} | ({"val": val} if val else {}) | {"test": test}
    images = {name: UnitImages(*split) for name, split in tensors.items()}
    truth = train[1] if true is None else true
    if truth.shape != train[1].shape:
        raise UserError(
            f"expected a true class for each of {len(train[1])} training images, got "
            f"{tuple(truth.shape)}"
        )
    return WatchedTraining(model, spec, images, truth, diagnostics, Path(store))


def _described(spec: RunSpec) -> dict[str, Any]:
    ids = {"run_id": spec.run_id, "family_id": spec.family_id}
    return ids | spec.as_dict() | {"source": Source("watched").as_dict()}
