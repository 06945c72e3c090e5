"""Adversarial training on the symmetric cross entropy.

Source: Wang et al. 2019 for the loss, with its code's weights on CIFAR-10 at 40 %
symmetric noise; that it is taken at PGD's examples is ours.
"""

from dataclasses import dataclass

from torch import Tensor

from rofit.labels.fixed import Smoothed
from rofit.losses import reverse_cross_entropy, soft_cross_entropy
from rofit.methods.inner import InnerMaximisation
from rofit.methods.method import Context, Method, StepOutputs
from rofit.settings.knobs import Knobs, knob

BRINGS = frozenset({"objective"})
MIXES = True


@dataclass(frozen=True)
class Params(Knobs):
    """The two weights."""

    sce_forward: float = knob(
        0.1, "weight of CE(label, p) (Wang 2019)", low=0, high=1e6
    )
    sce_reverse: float = knob(
        1.0, "weight of CE(p, label) (Wang 2019)", low=0, high=1e6
    )


def build(params: Params, context: Context) -> Method:
    """Return adversarial training on a CE(y, f(x')) + b CE(f(x'), y)."""

    def objective(outputs: StepOutputs) -> dict[str, Tensor]:
        forward = soft_cross_entropy(outputs.logits, outputs.soft)
        reverse = reverse_cross_entropy(outputs.logits, outputs.soft)
        return {
            "cross_entropy": params.sce_forward * forward,
            "reverse": params.sce_reverse * reverse,
        }

    inner = InnerMaximisation(context.attack)
    return Method(Smoothed(context.n_classes), inner, objective)
