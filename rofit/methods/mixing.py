"""Methods on images that are mixed with others (Mixup, CutMix), and which cannot be.

Such an image has two given classes. A method can be trained on it whose labels depend
on the given class alone and whose loss looks at nothing but them; that it can, where it
brings labels or an objective, its MIXES says.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import ModuleType

from torch import Tensor

from rofit.errors import UserError
from rofit.labels.fixed import Smoothed
from rofit.labels.mixed import Mixed
from rofit.losses import soft_cross_entropy
from rofit.methods import METHODS, find_method
from rofit.methods.inner import ATTACK_LABELS, CleanBatch
from rofit.methods.method import Context, Method
from rofit.settings.choices import MIXED
from rofit.settings.spec import RunSpec

Pairs = Callable[[RunSpec, int], Mapping[str, Tensor]]


def require_mixable(spec: RunSpec) -> None:
    """Raise UserError if the run mixes images, and its method needs single ones."""
    if spec.augment not in MIXED:
        return
    parts = (spec.method, spec.labels_from, *spec.weights_from)
    for name in filter(None, parts):
        if not _mixes(find_method(name)):
            able = ", ".join(n for n, module in METHODS.items() if _mixes(module))
            raise UserError(
                f"augment={spec.augment} mixes images and their labels, and {name} "
                f"needs images of one class; choose another augment, or of {able}"
            )


def mixed(spec: RunSpec, method: Method, context: Context, pairs: Pairs) -> Method:
    """Return *method* on mixed images, or as it is where the run mixes none.

    An attack on the given labels climbs on these, mixed.

    Args:
        spec: the run.
        method: built for single images.
        context: what it was built for.
        pairs: run, epoch (from 0) -> partners and shares of its images.

    Raises:
        UserError: the method needs single images.
    """
    if spec.augment not in MIXED:
        return method
    require_mixable(spec)
    labels = Mixed(method.labels, context.y, lambda epoch: pairs(spec, epoch))
    inner, hard = method.inner, Smoothed(context.n_classes)

    def given(clean: CleanBatch) -> Tensor:
        return labels.mix(hard.current, clean.index, clean.y)

    if (inner.loss, inner.labels) == ATTACK_LABELS["given"]:
        inner = replace(inner, loss=soft_cross_entropy, labels=given)
    return replace(method, labels=labels, inner=inner)


def _mixes(module: ModuleType) -> bool:
    brings_what_may_not = module.BRINGS & {"labels", "objective"}
    return bool(getattr(module, "MIXES", not brings_what_may_not))
