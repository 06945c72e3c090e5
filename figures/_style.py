"""How every figure of rofit looks: one colour, marker and label a method."""

import colorsys
import math
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

PAGE = 6.875  # inches, both columns of the paper

RC: Any = {
    "font.size": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "figure.constrained_layout.use": True,
}


class Look(NamedTuple):
    """How a method is drawn."""

    label: str
    color: str
    marker: str


# Okabe and Ito's palette, which the colour-blind can tell apart, then Paul Tol's.
METHODS = {
    "standard": Look("standard", "#000000", "s"),
    "pgd_at": Look("PGD-AT", "#D55E00", "o"),
    "label_smoothing": Look("AT + label smoothing", "#E69F00", "v"),
    "sgls": Look("SGLS", "#0072B2", "D"),
    "sglr": Look("SGLR (our reading)", "#009E73", "P"),
    "trades": Look("TRADES", "#56B4E9", "^"),
    "mart": Look("MART", "#CC79A7", "<"),
    "sce": Look("AT + symmetric CE", "#F0E442", ">"),
    "fast_at": Look("Fast AT", "#999999", "X"),
    "awp": Look("AWP", "#882255", "o"),
    "trades_awp": Look("TRADES + AWP", "#332288", "^"),
    "mlcat_ls": Look("MLCAT (LS)", "#117733", "v"),
    "mlcat_wp": Look("MLCAT (WP)", "#44AA99", "v"),
    "weight_ema": Look("weight EMA", "#88CCEE", "s"),
    "swa": Look("SWA", "#6699CC", "s"),
    "kd": Look("KD", "#AA4499", "d"),
    "kd_swa": Look("KD + SWA", "#661100", "d"),
    "sat": Look("SAT (on TRADES)", "#999933", "p"),
    "te": Look("TE", "#DDCC77", "h"),
    "adr": Look("ADR", "#CC6677", "*"),
    "adr_ema": Look("ADR + EMA", "#AA4466", "*"),
    "adr_awp": Look("ADR + AWP", "#997700", "*"),
    "adr_ema_awp": Look("ADR + EMA + AWP", "#994455", "*"),
    "trades_sgls": Look("TRADES + SGLS", "#004488", "^"),
    "mart_sgls": Look("MART + SGLS", "#BB5566", "<"),
}

# The same where the training need not be adversarial: what is compared are labels.
LABELS = {
    "pgd_at": "given labels",
    "label_smoothing": "smoothed labels",
    "sgls": "SGLS",
    "sglr": "SGLR (our reading)",
}
_APART = 0.3  # in red, green and blue of [0, 1]: clearly another colour


def look_of(method: str) -> Look:
    """Return how a method is drawn, one that is not ours by its name.

    Its colour and marker are drawn from the name, the same in every picture and on
    every machine; the colour is none that is near one of ours, nor a grey.
    """
    if method in METHODS:
        return METHODS[method]
    draws = random.Random(method)
    markers = sorted({ours.marker for ours in METHODS.values()})
    marker = markers[int(len(markers) * draws.random())]
    taken = [to_rgb(ours.color) for ours in METHODS.values()]
    while True:
        hue, lightness, saturation = (draws.random() for _ in range(3))
        color = colorsys.hls_to_rgb(hue, 0.3 + 0.3 * lightness, 0.6 + 0.4 * saturation)
        if min(math.dist(color, other) for other in taken) > _APART:
            return Look(method_label(method), to_hex(color), marker)


def method_label(name: str) -> str:
    """Return what pictures and tables call a method, ``trades+sglr`` by its parts."""
    names = name.split("+")
    return " + ".join(METHODS[p].label if p in METHODS else p for p in names)


def in_order(methods: Iterable[str]) -> list[str]:
    """Return the methods without repetition: ours as METHODS has them, then others."""
    shown = set(methods)
    return [name for name in METHODS if name in shown] + sorted(shown - METHODS.keys())


def save(figure: Figure, stem: Path) -> None:
    """Write the figure as PDF (fonts embedded as Type 42) and PNG."""
    with plt.rc_context(RC):
        figure.savefig(stem.with_suffix(".pdf"), metadata={"CreationDate": None})
        figure.savefig(stem.with_suffix(".png"), dpi=200)


def band(
    axes: Axes,
    rows: pd.DataFrame,
    column: str,
    look: Look,
    linestyle: str = "-",
    x: str = "epoch",
) -> None:
    """Draw the mean over seeds by *x*, and one standard deviation around it."""
    sns.lineplot(
        rows,
        x=x,
        y=column,
        ax=axes,
        color=look.color,
        linestyle=linestyle,
        errorbar="sd",
        err_kws={"alpha": 0.15, "linewidth": 0},
    )


def mark_best(axes: Axes, rows: pd.DataFrame, column: str, look: Look) -> None:
    """Mark each run's best epoch."""
    best = rows[rows["best"]]
    axes.scatter(
        best["epoch"],
        best[column],
        color=look.color,
        marker=look.marker,
        s=14,
        zorder=3,
        edgecolor="white",
        linewidth=0.4,
    )


def legend(
    figure: Figure,
    methods: Iterable[str],
    labels: Mapping[str, str] | None = None,
    styles: Mapping[Any, str] | None = None,
) -> None:
    """Name the methods that are drawn, and what line styles mean, above the panels."""
    looks = {name: look_of(name) for name in in_order(methods)}
    lines = [
        Line2D([], [], color=look.color, label=(labels or {}).get(name, look.label))
        for name, look in looks.items()
    ]
    for style, label in (styles or {}).items():
        lines.append(Line2D([], [], color="0.3", linestyle=style, label=label))
    figure.legend(handles=lines, ncols=len(lines), loc="outside upper center")


def attack_name(table: pd.DataFrame) -> str:
    """Return the evaluation's attack as axes call it: ``PGD-20``."""
    return str(table["attack"].iloc[0]).upper().replace("PGD", "PGD-")


def mark_drops(axes: Axes, table: pd.DataFrame) -> None:
    """Draw a thin vertical line after each epoch that a learning-rate drop follows."""
    for epoch in sorted(set(table.loc[table["drop_follows"], "epoch"])):
        axes.axvline(epoch + 0.5, color="0.6", linewidth=0.6, linestyle=":", zorder=0)


def stamp(figure: Figure, table: pd.DataFrame, seeds: int | None = None) -> None:
    """Write scale, data and seeds under the picture, unless it is the paper's."""
    scale, data = table["scale"].iloc[0], table["data"].iloc[0]
    seeds = seeds or table["seed"].nunique()
    if scale != "paper":
        text = f"rofit · scale {scale}, not the paper's · {data} · {seeds} seed(s)"
        figure.supxlabel(text, fontsize=6, color="0.45")
