"""How every figure of rofit looks: one colour, marker and label a method."""

import colorsys
import math
import random
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

PAGE, COLUMN = 6.875, 3.25  # inches, of the paper's page and of one of its columns
WIDTHS = {"": PAGE, "_column": COLUMN}  # by what ends the name of a picture's files

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
    "legend.handlelength": 2.6,
    "pdf.fonttype": 42,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.06,
    "figure.constrained_layout.h_pad": 0.06,
}


class Look(NamedTuple):
    """How a method is drawn: width of its lines and size of its marks in points."""

    label: str
    color: str
    marker: str
    width: float = 1.1

    @property
    def size(self) -> float:
        """Return the diameter of its marks, larger where its lines are wider."""
        return 2.5 + 2.1 * self.width


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
    "n_fgsm": Look("N-FGSM", "#EE7733", "X"),
    "nuat": Look("NuAT", "#EE3377", "X"),
    "fgsm_pgi": Look("FGSM-PGI", "#0077BB", "X"),
    "hat": Look("HAT", "#33BBEE", "^"),
    "rslad": Look("RSLAD", "#EE8866", "d"),
    "ard": Look("ARD", "#AAAA00", "d"),
    "rebat": Look("ReBAT", "#77AADD", "s"),
    "ikl": Look("IKL", "#225555", "^"),
}

# The same where the training need not be adversarial: what is compared are labels.
LABELS = {
    "pgd_at": "given labels",
    "label_smoothing": "smoothed labels",
    "sgls": "SGLS",
    "sglr": "SGLR (our reading)",
}
_WIDEST, _THINNEST = 2.6, 1.1  # points
_APART = 0.3  # in red, green and blue of [0, 1]: clearly another colour


def look_of(method: str, others: Iterable[Look] = ()) -> Look:
    """Return how a method is drawn, one that is not ours by its name.

    Its colour and marker are drawn from the name, the same on every machine; the colour
    is none that is near one of ours, nor a grey, nor near those of *others* that are
    drawn beside it.
    """
    if method in METHODS:
        return METHODS[method]
    draws = random.Random(method)
    markers = sorted({ours.marker for ours in METHODS.values()})
    marker = markers[int(len(markers) * draws.random())]
    taken = [to_rgb(look.color) for look in (*METHODS.values(), *others)]
    apart = _APART
    while True:
        apart *= 0.999  # many runs of others beside each other: as far as there is room
        hue, lightness, saturation = (draws.random() for _ in range(3))
        color = colorsys.hls_to_rgb(hue, 0.3 + 0.3 * lightness, 0.6 + 0.4 * saturation)
        if min(math.dist(color, other) for other in taken) > apart:
            return Look(method_label(method), to_hex(color), marker)


def method_label(name: str) -> str:
    """Return what pictures and tables call a method, ``trades+sglr`` by its parts."""
    names = name.split("+")
    return " + ".join(METHODS[p].label if p in METHODS else p for p in names)


def in_order(methods: Iterable[str]) -> list[str]:
    """Return the methods without repetition: ours as METHODS has them, then others."""
    shown = set(methods)
    return [name for name in METHODS if name in shown] + sorted(shown - METHODS.keys())


def looks(methods: Iterable[str]) -> dict[str, Look]:
    """Return how the methods of one picture are drawn, in order, the first widest.

    Where lines coincide (methods are one and the same network until refinement
    starts), those beneath show on both sides of those above.
    """
    names = in_order(methods)
    shown: dict[str, Look] = {}
    for name, width in zip(names, widths(len(names)), strict=True):
        shown[name] = look_of(name, shown.values())._replace(width=width)
    return shown


def widths(count: int) -> list[float]:
    """Return the widths of so many lines, in points, by the order of drawing."""
    step = (_WIDEST - _THINNEST) / max(count - 1, 1)
    return [_THINNEST + step * above for above in reversed(range(count))]


def panels(
    width: float, count: int, *, across: int, in_column: int = 1, height: float = 2.2
) -> tuple[Figure, list[Axes]]:
    """Return a figure of *width* and its panels, row by row, without margins.

    Args:
        width: PAGE or COLUMN.
        count: of panels.
        across: panels beside each other on a page.
        in_column: the same in a column.
        height: of a row, inches; legend and stamp come on top of it.
    """
    columns = across if width == PAGE else in_column
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(width, rows * height))
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def label_decades(axis: Axis) -> None:
    """Write plain numbers at a logarithmic axis: 1, 2, 5 of few decades, 1 of many."""
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter("{x:g}")
    low, high = axis.get_view_interval()
    if high < 4 * low:
        axis.set_major_locator(MaxNLocator(4))
    else:
        subs = (1.0, 2.0, 5.0) if high < 300 * low else (1.0,)
        axis.set_major_locator(LogLocator(subs=subs))


def attack_name(table: pd.DataFrame, column: str = "attack") -> str:
    """Return an attack as axes call it: ``PGD-20``.

    That of training, in results from before tables had it: ``training attack``.
    """
    if column not in table:
        return "training attack"
    names = dict.fromkeys(table[column].dropna().astype(str))
    return " / ".join(map(attack_label, names))


def attack_label(name: str) -> str:
    """Return ``PGD-20`` for pgd20; an attack that a log counts under without a name."""
    if name == "not_named":
        return "attack not named"
    return name.upper().replace("PGD", "PGD-")


def own(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of rofit's own runs: others, drawn beside them, have a source."""
    return table[table["source"].isna()] if "source" in table else table


def count_of_seeds(seeds: int) -> str:
    """Return ``1 seed`` or ``3 seeds``."""
    return f"{seeds} seed" if seeds == 1 else f"{seeds} seeds"


def wrapped(text: str, figure: Figure, letters: int) -> str:
    """Return the text in lines, so many letters an inch of the figure's width."""
    return textwrap.fill(text, int(letters * figure.get_figwidth()))


def stamp(figure: Figure, table: pd.DataFrame, seeds: int | None = None) -> None:
    """Write scale, data and seeds under the picture, unless it is the paper's."""
    scale, data = table["scale"].iloc[0], table["data"].iloc[0]
    if scale != "paper":
        text = f"rofit · scale {scale}, not the paper's · {data} · "
        text += count_of_seeds(seeds or own(table)["seed"].nunique())
        lines = wrapped(text, figure, 22)
        figure.supxlabel(lines, fontsize=6, color="0.45")
        height = 0.1 * (lines.count("\n") + 1)
        figure.set_figheight(figure.get_figheight() + height)


def save(figure: Figure, stem: Path) -> None:
    """Write the figure as PDF (fonts embedded as Type 42) and PNG."""
    with plt.rc_context(RC):
        figure.savefig(stem.with_suffix(".pdf"), metadata={"CreationDate": None})
        figure.savefig(stem.with_suffix(".png"), dpi=200)
