"""One training outside of rofit that is watched."""

import weakref
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rofit.adapters.inputs import Inputs
from rofit.adapters.labelled import check_classes, read_classes
from rofit.adapters.networks import LogitsAt, read_logits
from rofit.diagnostics import DIAGNOSTICS, Monitor, find_diagnostic
from rofit.errors import UserError
from rofit.settings.spec import RunSpec
from rofit.store.environment import environment
from rofit.store.rows import keep_columns
from rofit.store.runs import RunStore
from rofit.training.epoch_end import end_epoch
from rofit.watching.images import UnitImages, images_digest, learning_curves
from rofit.watching.kept import Kept
from rofit.watching.observed import Observed
from rofit.watching.opening import described, require_usable
from rofit.watching.steps import TrainingInputs, unscaled

# Who holds which folder in this process: a cell that is run again takes it over.
_OPEN: "weakref.WeakValueDictionary[Path, WatchedTraining]" = (
    weakref.WeakValueDictionary()
)


class WatchedTraining:
    """One training that is watched; made by `rofit.watch.watch`.

    Attributes:
        done: whole epochs that the folder has.
        folder: of the run.
    """

    def __init__(
        self,
        model: nn.Module,
        spec: RunSpec,
        images: dict[str, UnitImages],
        true: Tensor,
        *,
        diagnostics: Iterable[str],
        store: Path,
        inputs: Inputs,
        logits: LogitsAt,
        resume: bool,
    ) -> None:
        """Look at the network once, and open the run's folder."""
        self.spec, self.requested, self.done = spec, tuple(diagnostics), 0
        self.curves = learning_curves(spec, images)
        self.monitor = self._new_monitor()
        self.observed = Observed(
            model, spec, images, true, self.curves, inputs=inputs, logits=logits
        )
        with self.observed.measured() as networks:
            view = self.observed.view(*networks, epoch=0, soft=None)
            self.monitor.require(self.requested, view)
        self.folder, self._held = RunStore(store).folder(spec.run_id), ExitStack()
        reading = {
            "mean": inputs.mean,
            "std": inputs.std,
            "logits": logits if isinstance(logits, int | str) else None,
            "test": images_digest(images["test"]),
        }
        self.kept = Kept(self.folder, spec.as_dict(), reading)
        self._open(resume)
        self._training_inputs = TrainingInputs(model, inputs)

    def step(
        self,
        logits: Any,
        y: Any,
        loss: Tensor,
        soft: Tensor | None = None,
        *,
        gradient_scale: float | None = None,
    ) -> None:
        """Record a step, after ``loss.backward()`` and before the optimizer's.

        Args:
            logits: (B, K) of what the network was trained on, or its whole output.
            y: given classes (B,).
            loss: the mean loss, a scalar.
            soft: labels (B, K) if they were not one-hot.
            gradient_scale: what a GradScaler has multiplied the gradients by
                (``scaler.get_scale()``; 1 after ``scaler.unscale_``); must be said
                where logits are float16.

        Raises:
            UserError: what cannot be such a step, or the network has other weights than
                those that the folder's epochs ended with.
        """
        if self.done == self.spec.epochs:
            raise UserError(f"{self.folder.path} has all its {self.done} epochs")
        if not self._is_open:
            raise UserError(f"{self.folder.path} was taken over by another watch()")
        logits, y = self._read(logits, y, gradient_scale)
        self._training_inputs.check()
        if self._resumed:
            self._check_resumed()
        if soft is None:
            soft = nn.functional.one_hot(y, logits.shape[1]).float()
        self.curves.record_step(logits, y)
        loss = torch.as_tensor(loss, device=logits.device).detach()
        with unscaled(model := self.observed.model, gradient_scale) as usable:
            if usable:
                self.monitor.record_step(model, logits, y, soft, loss)

    def epoch(self, *, lr: float, soft: Tensor | None = None) -> float:
        """Evaluate after an epoch and write its rows; save your own checkpoint after.

        Args:
            lr: learning rate of the epoch.
            soft: the labels (N, K) trained on now, if they are not one-hot.

        Returns:
            Robust accuracy that chooses best, NaN where ``eval_every`` skips the epoch.

        Raises:
            UserError: no step was recorded since the last epoch, or logits not finite.
        """
        if not self.recorded:
            raise UserError("call step() after every backward pass, then epoch()")
        self.folder.require_same()
        self.done += 1
        with self.observed.measured() as networks:
            score = end_epoch(
                self.folder,
                self.done,
                networks[1],
                self.curves,
                self.monitor,
                lambda: self.observed.view(*networks, epoch=self.done, soft=soft),
                lr=float(lr),
                evaluated=self.done in self.spec.evaluated_epochs,
            )
        remembered = self.monitor.state_dict()["epochs"]
        self.kept.add(self.done, score, self.observed.model, remembered)
        if self.done == self.spec.epochs:
            self.folder.event("stop", watching=self.monitor.seconds)
            keep_columns(self.folder)
            self.folder.finish({"epochs": self.done, "best": self.kept.best})
            self.close()
        return score

    def resume_from(self, epoch: int | None = None) -> None:
        """Go on after *epoch*, that of your own checkpoint.

        Rows of later epochs are dropped; 0 begins anew. None stands for the epoch that
        ended with the weights that the network has now.

        Raises:
            UserError: the folder has no such epoch, or a step of the next one has been
                recorded.
        """
        if epoch is None:
            epoch = self.kept.epoch_of(self.observed.model)
        if epoch is None or not 0 <= epoch <= self.done:
            which = "weights of none" if epoch is None else epoch
            raise UserError(
                f"{self.folder.path} has {self.done} epochs: a loop can go on after "
                f"0 to {self.done} of them, got {which}"
            )
        if self.recorded:
            raise UserError("call resume_from() before the first step()")
        self.kept.cut(epoch)
        self._restore()

    @property
    def recorded(self) -> bool:
        """Whether a step was recorded since the last epoch."""
        return bool(self.curves.sums.any())

    def close(self) -> None:
        """Let go of the folder, as the last epoch does."""
        self._is_open = False
        self._held.close()

    def _open(self, resume: bool) -> None:
        require_usable(self.folder, resume)
        if (path := self.folder.path.resolve()) in _OPEN:
            _OPEN[path].close()
        begins = self.folder.state in ("missing", "started")
        self._held.enter_context(self.folder.opened(described(self.spec)))
        _OPEN[path], self._is_open = self, True
        model, diagnostics = self.observed.model, sorted(self.monitor.diagnostics)
        self._resumed = not begins
        if begins:
            self.folder.note_environment(environment("not told", 0))
            self.folder.event("start", diagnostics=diagnostics)
            self.kept.begin(model)
            return
        self.kept.load(self.observed.device)
        self.observed.initial = {
            name: weight.to(self.observed.initial[name].dtype)
            for name, weight in self.kept.initial(model).items()
        }
        self._restore()
        self.folder.event("resume", epoch=self.done, diagnostics=diagnostics)

    def _restore(self) -> None:
        """Be as after the last epoch that is kept."""
        self.done, self._resumed = self.kept.done, True
        remembered = self.kept.epochs.get(self.done, {}).get("monitor", {})
        self.monitor = self._new_monitor()
        self.monitor.load_state_dict({"sums": {}, "steps": 0, "epochs": remembered})

    def _new_monitor(self) -> Monitor:
        return Monitor(
            {name: find_diagnostic(name)() for name in self.requested or DIAGNOSTICS},
            lenient=not self.requested,
        )

    def _read(self, logits: Any, y: Any, scale: float | None) -> tuple[Tensor, Tensor]:
        """Return logits (B, K) and classes (B,) of a step, checked."""
        at = None if isinstance(logits, Tensor) else self.observed.logits_at
        logits, n_classes = read_logits(logits, at).detach(), self.observed.n_classes
        if logits.shape[1] != n_classes:
            raise UserError(
                f"the step's logits have {logits.shape[1]} classes, those of the "
                f"network that is watched {n_classes}"
            )
        expected = f"{len(logits)} classes (B,) as whole numbers"
        y = read_classes(y, len(logits), logits, expected)
        check_classes(y, n_classes, "the step")
        if logits.dtype == torch.float16 and scale is None:
            raise UserError(
                "logits are float16: say gradient_scale, what a GradScaler has "
                "multiplied the gradients by (scaler.get_scale(); 1 after "
                "scaler.unscale_ or without one)"
            )
        return logits if logits.dtype == torch.float64 else logits.float(), y

    def _check_resumed(self) -> None:
        """Raise UserError if the loop goes on from other weights than the log does."""
        epoch = self.kept.epoch_of(self.observed.model)
        if epoch is not None and epoch != self.done:
            raise UserError(
                f"the network has the weights of epoch {epoch}, and the log goes to "
                f"epoch {self.done}: call resume_from({epoch}), or load those of "
                f"epoch {self.done}"
            )
        self._resumed = False
