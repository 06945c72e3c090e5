"""Draws fig5_embedding: a map a method and share of noise, with its two numbers."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from rofit.figures._style import LABELS, PAGE, RC, in_order, look_of, stamp

_NUMBERS = ["knn_accuracy", "silhouette"]


def draw(table: pd.DataFrame) -> Figure:
    """Return 3 x 4 maps of test images at the end, coloured by true class.

    The numbers under each are means over all seeds.
    """
    last = table[table["epoch"] == table["epoch"].max()]
    means = last.drop_duplicates(["method", "label_noise", "seed"])
    means = means.groupby(["method", "label_noise"])[_NUMBERS].mean()
    methods = in_order(last["method"])
    noises = sorted(set(last["label_noise"]))
    with plt.rc_context(RC):
        figure = Figure(figsize=(PAGE, 1.9 * len(methods)))
        panels = figure.subplots(len(methods), len(noises), squeeze=False)
        for line, method in zip(panels, methods, strict=True):
            for axes, noise in zip(line, noises, strict=True):
                chosen = (last["method"] == method) & (last["label_noise"] == noise)
                sns.scatterplot(
                    last[chosen & last["image"].notna()].astype({"class": int}),
                    x="tsne_1",
                    y="tsne_2",
                    hue="class",
                    palette="tab10",
                    legend=False,
                    s=4,
                    linewidth=0,
                    rasterized=True,
                    ax=axes,
                )
                knn, silhouette = means.loc[(method, noise)]
                text = f"k-NN {100 * knn:.1f} %, silhouette {silhouette:.2f}"
                axes.set(xticks=[], yticks=[], ylabel="")
                axes.set_xlabel(text, fontsize=6)
                if method == methods[0]:
                    axes.set_title(f"{noise:.0%} noise", fontsize=8)
            line[0].set_ylabel(LABELS.get(method, look_of(method).label))
        stamp(figure, table)
    return figure
