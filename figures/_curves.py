"""Curves of methods: means over seeds with their bands, best epochs, drops."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.colors import to_rgba
from rofit.figures._style import Look, attack_name, own

GEOMETRIC = "geometric means over seeds, bands: one standard deviation of the logarithm"
DROPS = "dotted: drops of the learning rate"


def band(
    axes: Axes,
    rows: pd.DataFrame,
    column: str,
    look: Look,
    linestyle: str = "-",
    x: str = "epoch",
) -> None:
    """Draw the mean over seeds by *x*, and one standard deviation around it.

    On an axis that is logarithmic by then, these are of logarithms: the geometric mean
    and a factor. Without a value, as of runs of others that lack the column, nothing.
    """
    if rows[column].isna().all():
        return
    sns.lineplot(
        rows,
        x=x,
        y=column,
        ax=axes,
        color=look.color,
        linestyle=linestyle,
        linewidth=look.width,
        errorbar="sd",
    )
    outline(axes.collections[-1], look)


def robust_curves(
    axes: Axes, table: pd.DataFrame, shown: dict[str, Look]
) -> dict[str, str]:
    """Draw test and training robust accuracy in per cent, and mark the best epochs.

    Returns:
        What the two line styles are, for the legend.
    """
    names = ["test_robust", "train_robust"]
    table = table.assign(**{name: 100 * table[name] for name in names})
    for method, look in shown.items():
        rows = table[table["method"] == method]
        band(axes, rows, "test_robust", look)
        band(axes, rows, "train_robust", look, linestyle="--")
        mark_best(axes, rows, "test_robust", look)
    axes.set_ylabel("robust accuracy (%)")
    return {
        "-": f"test, {attack_name(table)}",
        "--": f"train, on the fly, {attack_name(table, 'train_attack')}",
    }


def outline(region: Collection, look: Look) -> None:
    """Draw a band as a thin outline, so that bands that overlap can be told apart."""
    region.set(
        alpha=None,
        facecolor=to_rgba(look.color, 0.08),
        edgecolor=to_rgba(look.color, 0.5),
        linewidth=0.4,
    )


def mark_best(axes: Axes, rows: pd.DataFrame, column: str, look: Look) -> None:
    """Mark each run's best epoch."""
    best = rows[rows["best"]]
    axes.scatter(
        best["epoch"],
        best[column],
        color=look.color,
        marker=look.marker,
        s=look.size**2,
        zorder=3,
        edgecolor="white",
        linewidth=0.3,
    )


def best_note(table: pd.DataFrame) -> str:
    """Return what marks of best epochs say, and the lines at drops."""
    ours = own(table)
    split = {"val": "validation"}.get(ours["selected_on"].iloc[0], "test")
    others = " (of others' runs: test)" if len(ours) < len(table) else ""
    return f"marks: best epoch of each run, chosen on {split} images{others}; {DROPS}"


def mark_drops(axes: Axes, table: pd.DataFrame) -> None:
    """Draw a thin vertical line after each epoch that a learning-rate drop follows."""
    for epoch in sorted(set(table.loc[table["drop_follows"], "epoch"])):
        axes.axvline(epoch + 0.5, color="0.6", linewidth=0.6, linestyle=":", zorder=0)
