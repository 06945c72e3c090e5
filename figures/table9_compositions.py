"""Writes table9_compositions: a row an augmentation and weight rule, labels across."""

import pandas as pd
from rofit.figures._style import method_label
from rofit.figures._tables import ATTACKS, latex, markdown, note

from rofit.measures.best_last import strongest
from rofit.measures.claims import mean_interval

_ROWS = ["augment", "weights"]


def render(table: pd.DataFrame) -> dict[str, str]:
    """Return the table as Markdown (``md``) and LaTeX (``tex``).

    Last accuracy under the strongest attack, then by how much each label rule ends
    above given labels, seed by seed: means with their intervals over seeds.
    """
    attack = strongest(table)
    last = table[(table["attack"] == attack) & (table["checkpoint"] == "last")]
    wide = last.pivot(index=[*_ROWS, "seed"], columns="labels", values="accuracy")
    wide = 100 * wide[list(dict.fromkeys(last["labels"]))]
    keys = list(dict.fromkeys(zip(last["augment"], last["weights"], strict=True)))
    columns = {}
    for labels in wide:
        name = "given labels" if labels == "given" else method_label(labels)
        columns[name] = [_with_interval(wide.loc[key, labels]) for key in keys]
        if labels != "given":
            more = wide[labels] - wide["given"]
            columns[f"{name}, minus given"] = [
                _with_interval(more.loc[key], sign="+") for key in keys
            ]
    index = pd.MultiIndex.from_tuples(keys, names=_ROWS)
    frame = pd.DataFrame(columns, index=index)
    name = ATTACKS.get(attack, "every epoch's PGD")
    under = note(
        table,
        f"Accuracy under {name} at the end. In brackets the 95 % interval of the mean "
        "(Student's t over seeds, not corrected for their number), none for fewer than "
        f"three seeds. Highest mean: {_highest(wide)}.",
    ).replace("mean ± standard deviation", "mean")
    return {"md": markdown(frame, _ROWS, under), "tex": latex(frame, _ROWS, under)}


def _with_interval(values: "pd.Series[float]", sign: str = "") -> str:
    """Return ``41.2 [40.1, 42.3]``: the mean of points, and its interval."""
    numbers = list(values.dropna())
    if not numbers:
        return ""
    low, high = mean_interval(numbers)
    text = f"{sum(numbers) / len(numbers):{sign}.1f}"
    return text if pd.isna(low) else f"{text} [{low:{sign}.1f}, {high:{sign}.1f}]"


def _highest(wide: pd.DataFrame) -> str:
    """Return the composition whose mean is highest, in words."""
    means = wide.groupby(level=_ROWS).mean().stack()
    augment, weights, labels = means.idxmax()
    return f"{labels} labels, weights {weights}, {augment} ({means.max():.1f})"
