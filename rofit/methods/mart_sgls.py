"""MART on SGLS's labels: they take the place of the label in its cross entropy.

Source: the authors' first release (a compiled file). Differs: beta is MART's 5 (there,
1). What stays under ``--recipe as_released``: predictions are detached before the table
takes them (there, gradients flow into stored labels).
"""

from dataclasses import dataclass, replace

from rofit.methods import mart, sgls
from rofit.methods.inner import InnerMaximisation
from rofit.methods.method import Context, Method

BRINGS = frozenset({"labels", "objective"})
AS_RELEASED = sgls.AS_RELEASED | {"beta": 1.0}  # the compiled file's is not known


@dataclass(frozen=True)
class Params(mart.Params, sgls.Labels):
    """The settings of both."""


def build(params: Params, context: Context) -> Method:
    """Return MART's loss with CE(s_i, f(x_i')) in the place of CE(y_i, f(x_i'))."""
    labels = sgls.label_table(params, context, r=1.0)
    inner = InnerMaximisation(context.attack)
    return replace(mart.build(params, context), labels=labels, inner=inner)
