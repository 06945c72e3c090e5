"""SGLR by our reading: refined labels that keep a share of the given one.

The paper's abstract and public summaries give the form, label = r f(x') + (1 - r) y
with an average over past predictions; they do not give r, momentum, warm-up or loss.
Those below are the first release's (SGLS) where it has them and ours where not; the
loss is the cross entropy (ours), with its symmetric form as --method sce --labels sglr.
"""

from dataclasses import dataclass

from rofit.methods import sgls
from rofit.methods.inner import ATTACK_LABELS, InnerMaximisation
from rofit.methods.method import Context, Method, soft_label_objective
from rofit.settings.knobs import knob

BRINGS = frozenset({"labels"})


@dataclass(frozen=True)
class Params(sgls.Params):
    """The settings of SGLS, and the one that is ours."""

    r: float = knob(0.8, "share of the refined label (ours)", low=0, high=1)


def build(params: Params, context: Context) -> Method:
    """Return adversarial training on r p + (1 - r) y, p the label table."""
    labels = sgls.label_table(params, context, r=params.r)
    inner = InnerMaximisation(context.attack, *ATTACK_LABELS[params.attack_labels])
    return Method(labels, inner, soft_label_objective)
