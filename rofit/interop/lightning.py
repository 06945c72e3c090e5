"""`rofit.watch` as a callback of Lightning.

``Trainer(callbacks=[WatchCallback(...)])``; needs ``pip install rofit[lightning]``.
"""

from collections.abc import Callable
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn

from rofit.errors import UserError
from rofit.interop.passes import ForwardPasses, go_on
from rofit.watch import watch
from rofit.watching.training import WatchedTraining


class WatchCallback(Callback):  # type: ignore[misc]
    """Watches ``trainer.fit``; weights are bit for bit those without it.

    Attributes:
        watched: the training, from its start on; None in processes other than the
            first.
    """

    watched: WatchedTraining | None = None
    y: Any = None

    def __init__(
        self,
        *,
        network: Callable[[Any], nn.Module] = lambda module: module,
        classes: Callable[[Any], Any] = lambda batch: batch[1],
        **options: Any,
    ) -> None:
        """Take what `rofit.watch.watch` takes but for the network and *resume*.

        Args:
            network: of a LightningModule, the part that maps images to logits.
            classes: of a batch, the classes (B,).
            **options: ``train``, ``test``, ...; ``epochs`` if the trainer's are open.
        """
        self.network, self.classes, self.options = network, classes, options

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the run's folder, or go on where the trainer's checkpoint does."""
        if not trainer.is_global_zero:
            return
        network, again = self.network(pl_module), trainer.global_step > 0
        epochs = trainer.max_epochs or 0
        if epochs < 1 and "epochs" not in self.options:
            raise UserError("the trainer has no max_epochs: WatchCallback(epochs=...)")
        self.watched = watch(
            network, **{"epochs": epochs, "resume": again} | self.options
        )
        if again:
            go_on(self.watched, trainer.current_epoch)
        self.passes = ForwardPasses(network, self.options.get("logits"))

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Keep the batch's classes; the batch before was not the last of its step."""
        if self.watched:
            if batch_idx:
                self.passes.end_batch(self.y)
            self.y = self.classes(batch)

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Any
    ) -> None:
        """Record a step, its gradients unscaled and not yet clipped."""
        if self.watched:
            self.lr = optimizer.param_groups[0]["lr"]
            self.passes.end_batch(self.y)
            self.passes.record(self.watched)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Evaluate and write the epoch's rows."""
        if self.watched:
            self.passes.epoch(self.watched, self.lr)

    def teardown(
        self, trainer: Trainer, pl_module: LightningModule, stage: str
    ) -> None:
        """Let go of network and folder."""
        if self.watched:
            self.passes.handle.remove()
            self.watched.close()
