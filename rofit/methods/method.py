"""A method is the min-max problem by its parts: labels, attack, objective, weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from rofit.attacks.pgd import PGD, Network
from rofit.errors import UserError
from rofit.labels.rule import LabelRule
from rofit.losses import soft_cross_entropy
from rofit.methods.inner import CleanBatch, InnerMaximisation
from rofit.weights.averages import WeightAverage
from rofit.weights.perturbation import Perturbation


@dataclass(frozen=True)
class Context:
    """What a method is built for.

    Attributes:
        attack: PGD as the run's fields say.
        y: given class of every training image (N,), on the training device.
        n_classes: K.
        model: the network in training, on its device.
        teachers: networks in eval mode and the run's precision, by the names in the
            method's TEACHERS.
        precision: of convolutions, a field of RunSpec.
        image_shape: (C, H, W) of the training images.
    """

    attack: PGD
    y: Tensor
    n_classes: int
    model: nn.Module
    teachers: Mapping[str, nn.Module] = field(default_factory=dict)
    precision: str = "fp32"
    image_shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class StepOutputs:
    """What one step's network predicted, and what it should have.

    Attributes:
        logits: on the adversarial inputs (clean ones without an attack), with
            gradients, (B, K).
        clean: on the clean inputs, with gradients, for methods that learn from them.
        soft: labels to train on, (B, K).
        y: given classes, (B,).
        extra: on the method's extra inputs, with gradients, where it has them.
    """

    logits: Tensor
    clean: Tensor | None
    soft: Tensor
    y: Tensor
    extra: Tensor | None = None


# (x, x_adv, index) -> inputs beside them that the objective needs, (B, C, H, W).
ExtraInputs = Callable[[Tensor, Tensor, Tensor], Tensor]
# Terms by name, each (B,). The loss is the sum of the terms' means over the batch.
Objective = Callable[[StepOutputs], dict[str, Tensor]]


@dataclass
class Method:
    """How a batch becomes a step.

    Attributes:
        labels: assigns and refines the training labels.
        inner: what adversarial inputs maximise, and from where.
        objective: terms of the loss on the network's predictions.
        learns_clean: whether the objective needs the clean inputs' logits as well.
        extra_inputs: makes other inputs whose logits it needs as well, like HAT's.
        perturbation: moves the weights before the gradient is taken.
        average: of the weights; its network is the one that is evaluated.
    """

    labels: LabelRule
    inner: InnerMaximisation
    objective: Objective
    learns_clean: bool = False
    extra_inputs: ExtraInputs | None = None
    perturbation: Perturbation | None = None
    average: WeightAverage | None = None

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Tell the parts that an epoch begins (counted from 0)."""
        self.labels.begin_epoch(epoch, epochs)
        self.inner.begin_epoch(epoch, epochs)
        if self.perturbation:
            self.perturbation.begin_epoch(epoch, epochs)
        if self.average:
            self.average.begin_epoch(epoch, epochs)

    def begin_step(self, progress: float, step: int) -> None:
        """Tell the parts that a step begins.

        Args:
            progress: share of the run's steps that are done, in [0, 1).
            step: its number in the epoch, from 0.
        """
        self.labels.begin_step(progress)
        self.inner.begin_step(step)

    def terms(
        self,
        logits: Tensor,
        clean: Tensor | None,
        soft: Tensor,
        y: Tensor,
        extra: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the terms of the loss, each (B,), of a step's `StepOutputs`."""
        return self.objective(StepOutputs(logits, clean, soft, y, extra))

    def maximise(
        self, network: Network, x: Tensor, y: Tensor, index: Tensor, start: Tensor
    ) -> Tensor:
        """Return the inputs to train on, (B, C, H, W), of a step's `CleanBatch`."""
        clean = CleanBatch(network, self.labels, x, y, index)
        return self.inner.maximise(clean, start)


def soft_label_objective(outputs: StepOutputs) -> dict[str, Tensor]:
    """Return the cross entropy with the labels, the one term of most methods."""
    return {"cross_entropy": soft_cross_entropy(outputs.logits, outputs.soft)}


def require_linf(method: str, context: Context) -> None:
    """Check the norm, for methods whose source has no other.

    Raises:
        UserError: the threat is of another norm than linf.
    """
    if context.attack.threat.norm != "linf":
        raise UserError(
            f"{method} is defined for norm=linf only, got "
            f"norm={context.attack.threat.norm}; fast_at makes one step in either norm"
        )
