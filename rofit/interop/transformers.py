"""`rofit.watch` as a callback of Hugging Face's Trainer, for image classifiers.

``Trainer(..., callbacks=[WatchCallback(...)])``; needs ``pip install
rofit[transformers]``.
"""

from typing import Any

from torch import nn
from transformers import TrainerCallback

from rofit.errors import UserError
from rofit.interop.passes import ForwardPasses, go_on
from rofit.watch import watch
from rofit.watching.training import WatchedTraining


class WatchCallback(TrainerCallback):  # type: ignore[misc]
    """Watches ``trainer.train``; weights are bit for bit those without it.

    Gradients are as they are before the optimizer's step: after clipping
    (``max_grad_norm``).

    Attributes:
        watched: the training, from its start on; None in processes other than the
            first.
    """

    watched: WatchedTraining | None = None

    def __init__(self, **options: Any) -> None:
        """Take what `rofit.watch.watch` takes but for the network and *resume*.

        Args:
            **options: ``train``, ``test``, ...; images as the network's first argument.
        """
        self.options, self.handles = options, list[Any]()

    def on_train_begin(  # type: ignore[override]  # the model is always among others
        self, args: Any, state: Any, control: Any, model: nn.Module, **others: Any
    ) -> None:
        """Open the run's folder, or go on where the trainer's checkpoint does."""
        if not state.is_world_process_zero:
            return
        again = state.global_step > 0
        epochs = {"epochs": int(state.num_train_epochs), "resume": again}
        self.watched = watch(model, **epochs | self.options)
        if again:
            go_on(self.watched, int(state.epoch))
        self.passes = ForwardPasses(model, self.options.get("logits"))

        def end_batch(module: nn.Module, _: Any, given: Any, output: Any) -> None:
            if self.passes.last is None:
                return
            if given.get("labels") is None:
                raise UserError(
                    "the Trainer gave the network no labels (label_smoothing_factor "
                    "and compute_loss_func take them away): WatchCallback needs them"
                )
            self.passes.end_batch(given["labels"])

        hook = model.register_forward_hook(end_batch, with_kwargs=True)
        self.handles = [self.passes.handle, hook]

    def on_pre_optimizer_step(
        self, args: Any, state: Any, control: Any, **others: Any
    ) -> None:
        """Record a step."""
        if self.watched:
            self.lr = others["optimizer"].param_groups[0]["lr"]
            self.passes.record(self.watched)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Evaluate and write the epoch's rows."""
        if self.watched:
            self.passes.epoch(self.watched, self.lr)

    def on_train_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Let go of network and folder."""
        if self.watched:
            for handle in self.handles:
                handle.remove()
            self.watched.close()
