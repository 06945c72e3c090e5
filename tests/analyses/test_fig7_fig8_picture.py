"""Pictures of Figures 7 and 8: panels, axes, and lines that the table tells."""

import pandas as pd
import pytest
from made_up_logs import saved
from matplotlib.colors import to_hex
from rofit.figures import fig7_iiw, fig8_iiw_noise
from rofit.figures._style import METHODS as LOOKS

SOFT = {"pgd_at": 1.0, "sgls": 10.0}  # by what the estimates are less
INFORMATION = "information in weights,\nPGD-20 (nats²)"


def _table(x: str, values) -> pd.DataFrame:
    """Return two methods of two seeds; the second seed's estimates are threefold."""
    rows = [
        {
            "scale": "demo",
            "data": "400 digits",
            "method": method,
            "seed": seed,
            x: value,
            "iiw_fisher": (1 + 2 * seed) * 10.0**i / soft,
            "iiw_code": (1 + 2 * seed) * 0.5 / soft,
            "corrupted_given": (value + 0.02 * seed) / soft if value else None,
            "attack": "pgd20",
        }
        for method, soft in SOFT.items()
        for seed in (0, 1)
        for i, value in enumerate(values)
    ]
    return saved(pd.DataFrame(rows))


@pytest.fixture(scope="module")
def fig7():
    return fig7_iiw.draw(_table("epoch", [2, 4, 6]))


@pytest.fixture(scope="module")
def fig8():
    return fig8_iiw_noise.draw(_table("label_noise", [0.0, 0.2, 0.4, 0.6]))


def _line(axes, method):
    """Return the method's line, which has its marker, as x and y."""
    (line,) = (
        line
        for line in axes.lines
        if to_hex(line.get_color()) == LOOKS[method].color.lower()
    )
    assert line.get_marker() == LOOKS[method].marker and line.get_linestyle() == "-"
    return list(line.get_xdata()), list(line.get_ydata())


def test_panels_are_the_two_estimates_and_estimate_beside_memory(fig7, fig8):
    first, second = fig7.axes
    assert first.get_title() == "single gradients: mean of $(d^T g_i)^2$"
    assert second.get_title() == "mean gradient: $(d^T \\bar g)^2$"
    assert first.get_ylabel() == second.get_ylabel() == INFORMATION
    assert [axes.get_xlabel() for axes in fig7.axes] == ["epoch"] * 2
    left, right = fig8.axes
    assert left.get_ylabel() == INFORMATION
    assert right.get_ylabel() == "corrupted labels\npredicted (%)"
    assert {axes.get_xlabel() for axes in fig8.axes} == {"training labels redrawn (%)"}
    scales = [axes.get_yscale() for axes in (*fig7.axes, *fig8.axes)]
    assert scales == ["log", "log", "log", "linear"]


def test_labels_that_were_not_followed_leave_their_panel_empty():
    table = _table("label_noise", [0.0, 0.6]).assign(corrupted_given=float("nan"))
    left, right = fig8_iiw_noise.draw(table).axes
    assert _line(left, "sgls")[1] == pytest.approx([0.1 * 3**0.5, 3**0.5])  # geometric
    assert not any(len(line.get_xdata()) for line in right.lines)
