"""Draws fig11_landscape: loss along the weights, and along two ways in the inputs."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from rofit.figures._curves import band
from rofit.figures._legend import legend
from rofit.figures._style import PAGE, RC, attack_name, looks, panels, stamp

_ALONG = {"u": "v", "v": "u"}  # a way in the plane of inputs, and that across it


def draw(table: pd.DataFrame, width: float = PAGE) -> Figure:
    """Return loss around the weights (left), and around the inputs (right).

    Of the plane of inputs the two axes: along the gradient's sign, and along random
    signs, where little happens unless gradients are masked.
    """
    weights = table[table["surface"] == "weights"]
    inputs = table[table["surface"] == "inputs"]
    shown = looks(table["method"])
    with plt.rc_context(RC):
        figure, (left, right) = panels(width, 2, across=2)
        for method, look in shown.items():
            band(left, weights[weights["method"] == method], "loss", look, x="a")
            plane = inputs[inputs["method"] == method]
            for (along, across), style in zip(
                _ALONG.items(), "- --".split(), strict=True
            ):
                band(right, plane[plane[across] == 0], "loss", look, style, x=along)
        left.set_xlabel("random direction (norms of each filter)")
        left.xaxis.set_major_locator(MaxNLocator(5))
        left.set_ylabel(f"loss, {attack_name(weights)} (nats)")
        right.set_xlabel("step in the input (1/255)")
        right.set_ylabel("loss, no attack (nats)")
        for axes, title in ((left, "around the weights"), (right, "around the inputs")):
            axes.set_title(title, fontsize=8)
        styles = {"-": "gradient's sign (inputs)", "--": "random signs (inputs)"}
        legend(figure, shown, styles=styles)
        stamp(figure, table)
    return figure
