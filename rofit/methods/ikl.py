"""IKL: TRADES, whose divergence is a squared distance by class and a cross entropy.

Source: Cui et al. 2024 (DKL) and its code (`DKLv1`, `train_dkl_cifar10.py`), CIFAR-10:
beta 20, alpha 4, temperature 4. The distance compares differences of logits, weighted
by what the network predicted of that class' images in the epoch before; gradients go
through both predictions there, through the adversarial one alone in the cross entropy,
on which the attack climbs as well. A class' weights sum to one, so that the sum over
pairs is a variance. GKL (`DKLv2`) weighs otherwise. Differs: attack and schedule are
the run's (there five steps of half a radius, and a cosine from 0.2), and an attack
begins inside [0, 1] (there outside where pixels are saturated). What stays under
``--recipe as_released``: the radius is whole from the first step on (there it grows
from 0 over the run, and the step with it); weights are not perturbed (there by AWP from
the tenth epoch on: ``--weights awp --set awp_gamma=0.005 --set awp_start=0.045``) nor
averaged (there over epochs, 0.9); the cosine goes by steps (there by epochs, and not
quite to 0); in CIFAR-100's code, and not here, the attack climbs on the distance too; a
class without images has uniform weights (there none: NaN); the clean batch passes the
network first (there second), which BatchNorm's statistics see; in l2 that code climbs
as TRADES' does.
"""

from dataclasses import dataclass

from torch import Tensor

from rofit.attacks.geometry import gaussian_start
from rofit.labels.class_means import ClassMeans
from rofit.losses import cross_entropy, divergence, soft_cross_entropy
from rofit.methods.inner import InnerMaximisation, clean_prediction
from rofit.methods.method import Context, Method, StepOutputs
from rofit.settings.knobs import Knobs, knob

BRINGS = frozenset({"labels", "objective"})
AS_RELEASED = {
    "val_size": 0,
    "normalise": False,
    "step_size": 4 / 255,
    "attack_steps": 5,
    "start_clamp": False,
    "lr": 0.2,
    "schedule": "cosine",
}


@dataclass(frozen=True)
class Params(Knobs):
    """The two weights, and the temperature of classes' predictions."""

    ikl_distance: float = knob(
        20.0, "weight of the squared distance, beta (IKL)", low=0, high=1e6
    )
    ikl_entropy: float = knob(
        4.0, "weight of the cross entropy, alpha (IKL)", low=0, high=1e6
    )
    ikl_temperature: float = knob(
        4.0, "of the predictions that weigh classes (IKL)", low=0.01, high=1000
    )


def build(params: Params, context: Context) -> Method:
    """Return CE(y, f(x)) + b/4 sum_jk s_j s_k (d_j - d_k)^2 + a CE(f(x), f(x')).

    d is the difference of the logits at x and x', s the weights of class y.
    """
    labels = ClassMeans(context.y, context.n_classes, params.ikl_temperature)

    def objective(outputs: StepOutputs) -> dict[str, Tensor]:
        assert outputs.clean is not None
        weights = labels.means[outputs.y].to(outputs.clean)
        distance = _distance(outputs.clean - outputs.logits, weights)
        prediction = outputs.clean.detach().softmax(dim=1)
        smooth = soft_cross_entropy(outputs.logits, prediction)
        return {
            "cross_entropy": cross_entropy(outputs.clean, outputs.y),
            "distance": params.ikl_distance * distance,
            "smoothness": params.ikl_entropy * smooth,
        }

    inner = InnerMaximisation(
        context.attack, divergence, clean_prediction, start=gaussian_start
    )
    return Method(labels, inner, objective, learns_clean=True)


def _distance(difference: Tensor, weights: Tensor) -> Tensor:
    """Return ``1/4 sum_jk s_j s_k (d_j - d_k)^2``, half a variance: (B, K) -> (B,).

    Args:
        difference: d, of logits, (B, K).
        weights: s, (B, K), each row summing to one.
    """
    mean = (weights * difference).sum(dim=1, keepdim=True)
    return 0.5 * (weights * (difference - mean).square()).sum(dim=1)
