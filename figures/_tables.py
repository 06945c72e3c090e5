"""How every table of rofit is written: Markdown and LaTeX from one frame of cells."""

from dataclasses import dataclass

import pandas as pd
from rofit.figures._style import count_of_seeds, method_label, own

_ESCAPED = {"%": r"\%", "_": r"\_", "&": r"\&", "±": r"$\pm$", "#": r"\#"}
ATTACKS = {
    "none": "clean",
    "fgsm": "FGSM",
    "pgd20": "PGD-20",
    "pgd100": "PGD-100",
    "cw100": "C&W",
    "autoattack": "AutoAttack",
    "square5000": "Square",
    "transfer": "transfer",
}


@dataclass(frozen=True)
class Cell:
    """Mean and standard deviation over seeds, and whether it is the column's best."""

    mean: float
    std: float
    best: bool = False

    def __str__(self) -> str:
        """Return per cent with one decimal: ``41.2 ± 0.3``; empty for NaN."""
        if pd.isna(self.mean):
            return ""
        spread = "" if pd.isna(self.std) else f" ± {100 * self.std:.1f}"
        return f"{100 * self.mean:.1f}{spread}"


def cells(values: pd.DataFrame, rows: list[str], column: str) -> pd.DataFrame:
    """Return a frame of Cells: *rows* down, *column* across, means over the rest.

    Args:
        values: a column ``accuracy`` (fraction) and the named ones.
        rows: columns whose values name a row; the best of a column is found among rows
            that agree in the last of them.
        column: whose values name a column, in order of appearance.
    """
    grouped = values.groupby([*rows, column], observed=True, sort=False)["accuracy"]
    mean, std = grouped.mean().unstack(column), grouped.std().unstack(column)
    top = mean.groupby(level=rows[-1]).transform("max")
    columns = {
        name: [
            Cell(m, s, bool(m == t))
            for m, s, t in zip(mean[name], std[name], top[name], strict=True)
        ]
        for name in dict.fromkeys(values[column])
    }
    return pd.DataFrame(columns, index=mean.index)


def markdown(frame: pd.DataFrame, heads: list[str], note: str) -> str:
    """Return the table in Markdown, the best of each column bold, a note under it."""
    lines = ["| " + " | ".join([*heads, *map(str, frame)]) + " |"]
    lines.append("|" + "---|" * (len(heads) + len(frame.columns)))
    for key, row in zip(frame.index, frame.to_numpy(), strict=True):
        shown = [
            f"**{cell}**" if _is_best(cell) and str(cell) else str(cell) for cell in row
        ]
        lines.append("| " + " | ".join([*_names(key), *shown]) + " |")
    return "\n".join(lines) + f"\n\n{note}\n"


def latex(frame: pd.DataFrame, heads: list[str], note: str) -> str:
    """Return the table in LaTeX, for booktabs, the best of each column bold."""
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{tabular}{" + "l" * len(heads) + "r" * len(frame.columns) + "}",
        "\\toprule",
        " & ".join(map(_escaped, [*heads, *map(str, frame)])) + r" \\",
        "\\midrule",
    ]
    for key, row in zip(frame.index, frame.to_numpy(), strict=True):
        shown = [
            rf"\textbf{{{_escaped(str(cell))}}}"
            if _is_best(cell)
            else _escaped(str(cell))
            for cell in row
        ]
        lines.append(" & ".join([*map(_escaped, _names(key)), *shown]) + r" \\")
    lines += ["\\bottomrule", "\\end{tabular}", f"% {note}"]
    return "\n".join(lines) + "\n"


def note(table: pd.DataFrame, more: str = "") -> str:
    """Return what stands under a table: scale, data, seeds, images."""
    scale, data = table["scale"].iloc[0], table["data"].iloc[0]
    whose = "" if scale == "paper" else ", not the paper's"
    ours = own(table)
    seeds, n = count_of_seeds(ours["seed"].nunique()), int(ours["n"].max())
    text = f"rofit, scale {scale}{whose}; {data}; {seeds}, mean ± standard deviation, "
    text += f"per cent of {n} test images. {more}".rstrip()
    return f"{text} {absent(table)}".rstrip()


def absent(table: pd.DataFrame) -> str:
    """Return what of the analysis is missing for want of data, or nothing."""
    if "absent" not in table:
        return ""
    return "; ".join(f"not drawn: {text}" for text in table["absent"].dropna().unique())


def _is_best(cell: object) -> bool:
    return isinstance(cell, Cell) and cell.best


def _names(key: object) -> list[str]:
    labels = key if isinstance(key, tuple) else (key,)
    return [method_label(str(label)) for label in labels]


def _escaped(text: str) -> str:
    return "".join(_ESCAPED.get(letter, letter) for letter in text)
