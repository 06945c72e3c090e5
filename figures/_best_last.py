"""Tables of best, last and their difference, under each attack, a row a method."""

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
from rofit.figures._sources import with_names
from rofit.figures._style import attack_label, own
from rofit.figures._tables import ATTACKS, Cell, latex, markdown, note

Ranking = Callable[["pd.Series[float]"], "pd.Series[float]"]
_LABELS = ATTACKS | {"each_epoch": "every epoch's PGD"}


def render(table: pd.DataFrame, rows: list[str]) -> dict[str, str]:
    """Return the table as Markdown (``md``) and LaTeX (``tex``).

    Args:
        table: as `rofit.measures.best_last` makes it, at least one run.
        rows: columns whose values name a row, the method or its variant the last; bold
            is the best among rows that agree in the others.
    """
    frame = _with_others(three_columns(own(table), rows), table, rows)
    selected = table.loc[table["checkpoint"] == "best", "selected_on"].iloc[0]
    split = {"val": "validation"}.get(selected, selected)
    strong = {"pgd20": "PGD-20", "autoattack": "AutoAttack"}
    evaluated = set(own(table)["attack"])
    lacking = [label for name, label in strong.items() if name not in evaluated]
    text = f"best: chosen on {split} images; diff: best minus last. Bold: highest, and "
    text += "the robust diff nearest to zero."
    if "published" in frame:
        text += (
            " Published: networks of full size, not comparable with a smaller scale."
        )
    if len(own(table)) < len(table):
        text += (
            " Rows that name a layout and a file are logs of others, their best chosen "
            "on the test images."
        )
    if lacking:
        text += f" Not evaluated at this scale: {', '.join(lacking)}."
    under = note(table, text)
    return {"md": markdown(frame, rows, under), "tex": latex(frame, rows, under)}


def three_columns(table: pd.DataFrame, rows: list[str]) -> pd.DataFrame:
    """Return Cells: best, last and diff under each attack, and what is published."""
    chosen = table[table["checkpoint"].isin(["best", "last"])]
    attacks = set(chosen["attack"])
    if attacks & {"pgd20", "autoattack"}:
        attacks -= {"each_epoch"}
    order = [name for name in _LABELS if name in attacks]
    order += sorted(attacks - set(order))
    wide = chosen.pivot_table(
        index=[*rows, "seed"],
        columns=["attack", "checkpoint"],
        values="accuracy",
        sort=False,
    )
    columns: dict[str, list[Cell]] = {}
    for attack in order:
        accuracy = wide[attack]
        values = {
            "best": accuracy["best"],
            "last": accuracy["last"],
            "diff": accuracy["best"] - accuracy["last"],
        }
        for name, series in values.items():
            column = f"{_LABELS.get(attack, attack_label(attack))} {name}"
            columns[column] = _cells(series, rows, _merit(name, attack))
    index = wide.groupby(level=rows, sort=False).first().index
    frame = pd.DataFrame(columns, index=index)
    if "published" in chosen and chosen["published"].notna().any():
        chosen = chosen.fillna({"published": ""})
        published = chosen.groupby(rows, sort=False)["published"].first()
        frame["published"] = published.map(with_names)
    return frame


def _with_others(
    frame: pd.DataFrame, table: pd.DataFrame, rows: list[str]
) -> pd.DataFrame:
    """Return the rows of runs of others under ours, none of their values bold."""
    others = table.drop(own(table).index)
    if others.empty:
        return frame
    theirs = three_columns(others.fillna({"seed": -1}), rows)
    plain = [c for c in theirs if c != "published"]
    theirs[plain] = theirs[plain].map(lambda cell: replace(cell, best=False))
    published = ["published"] if "published" in frame else []
    columns = [c for c in dict.fromkeys([*frame, *theirs]) if c != "published"]
    both = pd.concat([frame, theirs]).reindex(columns=[*columns, *published])
    return both.where(both.notna(), "")


def _merit(name: str, attack: str) -> Ranking | None:
    """Return what bold ranks means by: None where less or more is neither better.

    Clean accuracy often rises to the end, which is no merit of a method's.
    """
    if name != "diff":
        return lambda mean: mean
    return None if attack == "none" else lambda mean: -mean.abs()


def _cells(
    values: "pd.Series[float]", rows: list[str], merit: Ranking | None
) -> list[Cell]:
    grouped = values.groupby(level=rows, sort=False)
    mean, std = grouped.mean(), grouped.std()
    if merit is None:
        return [Cell(m, s) for m, s in zip(mean, std, strict=True)]
    ranked = merit(mean)
    groups = (
        ranked.groupby(level=rows[:-1]) if rows[:-1] else ranked.groupby(lambda _: 0)
    )
    best = ranked == groups.transform("max")
    return [Cell(m, s, bool(b)) for m, s, b in zip(mean, std, best, strict=True)]
