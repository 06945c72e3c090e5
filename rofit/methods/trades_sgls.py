"""TRADES on SGLS's labels: they take the place of the label of the clean inputs.

Source: the authors' first release (a compiled file): momentum, shares and a uniform
start of the attack. Its beta is not known to us (TRADES' is taken), nor is the length
of the run of which epoch 70 is its start (SGLS's fraction is taken). Differs: the
prediction on the adversarial inputs is not made a second time for the labels.
"""

from dataclasses import dataclass, replace

from rofit.losses import divergence
from rofit.methods import sgls, trades
from rofit.methods.inner import InnerMaximisation, clean_prediction
from rofit.methods.method import Context, Method

BRINGS = frozenset({"labels", "objective"})
AS_RELEASED = sgls.AS_RELEASED  # the compiled file's is not known


@dataclass(frozen=True)
class Params(trades.Params, sgls.Labels):
    """The settings of both; the attack climbs on TRADES' divergence."""


def build(params: Params, context: Context) -> Method:
    """Return CE(s_i, f(x_i)) + beta max_delta KL(f(x_i) || f(x_i'))."""
    labels = sgls.label_table(params, context, r=1.0)
    inner = InnerMaximisation(context.attack, divergence, clean_prediction)
    return replace(trades.build(params, context), labels=labels, inner=inner)
