"""Draws fig5_embedding: a map a method and share of noise, with its two numbers."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rofit.figures._legend import add_legend
from rofit.figures._style import LABELS, PAGE, RC, count_of_seeds, looks, panels, stamp

_NUMBERS = ["knn_accuracy", "silhouette"]
_PLACES = ["tsne_1", "tsne_2"]


def draw(table: pd.DataFrame, width: float = PAGE) -> Figure:
    """Return maps of test images at the end, coloured by true class, a row a method.

    A column of maps is a share of noise, in a column of the paper the least and the
    largest. Small points are images, large ones the means of classes: the further
    these are from each other, the better are the classes told apart. The numbers under
    each map are means over all seeds.
    """
    last = table[table["epoch"] == table["epoch"].max()]
    means = last.drop_duplicates(["method", "label_noise", "seed"])
    means = means.groupby(["method", "label_noise"])[_NUMBERS].mean()
    images = last[last["image"].notna()].astype({"class": int})
    noises = sorted(set(last["label_noise"]))
    if width != PAGE:
        noises = [noises[0], noises[-1]]
    shown = looks(last["method"])
    maps = [(method, noise) for method in shown for noise in noises]
    with plt.rc_context(RC):
        figure, many = panels(
            width, len(maps), across=len(noises), in_column=len(noises), height=1.65
        )
        for axes, (method, noise) in zip(many, maps, strict=True):
            chosen = (images["method"] == method) & (images["label_noise"] == noise)
            _map(axes, images[chosen])
            knn, silhouette = means.loc[(method, noise)]
            text = f"k-NN {100 * knn:.1f} %, silhouette {silhouette:.2f}"
            axes.set_xlabel(text, fontsize=6)
            if method == maps[0][0]:
                axes.set_title(f"{noise:.0%} noise", fontsize=8)
            label = LABELS.get(method, shown[method].label)
            axes.set_ylabel(label if noise == noises[0] else "")
        mapped, seeds = int(images["seed"].min()), last["seed"].nunique()
        note = f"maps of seed {mapped}; numbers: means over {count_of_seeds(seeds)}; "
        note += "large marks: means of classes"
        add_legend(figure, _classes(images), note)
        stamp(figure, table)
    return figure


def _map(axes: Axes, images: pd.DataFrame) -> None:
    centres = images.groupby("class")[_PLACES].mean().reset_index()
    points = {"s": 7, "alpha": 0.55, "linewidth": 0, "rasterized": True}
    large = {"s": 40, "edgecolor": "black", "linewidth": 0.8, "zorder": 3}
    for rows, marks in ((images, points), (centres, large)):
        sns.scatterplot(
            rows,
            x="tsne_1",
            y="tsne_2",
            hue="class",
            palette="tab10",
            legend=False,
            ax=axes,
            **marks,
        )
    axes.set(xticks=[], yticks=[])


def _classes(images: pd.DataFrame) -> list[Line2D]:
    classes = sorted(set(images["class"]))
    colors = sns.color_palette("tab10", len(classes))
    return [
        Line2D([], [], linestyle="", marker="o", color=color, label=f"class {number}")
        for number, color in zip(classes, colors, strict=True)
    ]
