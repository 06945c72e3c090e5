"""Every table: the numbers in its Markdown and LaTeX, against the table they are of.

The tables are random. What is expected is worked out here, with lists and `statistics`.
"""

import re
from statistics import fmean, median, quantiles, stdev

import pytest
from made_up_tables import ROWS
from random_tables import random_table

from rofit.reproduction import catalog

TABLES = [
    name
    for name in catalog.analysis_names()
    if hasattr(catalog.load_figure(name), "render")
]
LABELS = {
    "none": "clean",
    "pgd20": "PGD-20",
    "cw100": "C&W",
    "autoattack": "AutoAttack",
}
METHODS = {
    "pgd_at": "PGD-AT",
    "sgls": "SGLS",
    "sglr": "SGLR (our reading)",
    "trades": "TRADES",
    "trades+sglr": "TRADES + SGLR (our reading)",
    "awp": "AWP",
    "awp+swa": "AWP + SWA",
    "standard": "standard",
    "label_smoothing": "AT + label smoothing",
}
Cells = dict[tuple[str, ...], dict[str, str]]


def _values(table, **about) -> list[float]:
    """Return accuracies in points in the rows that agree, in the order of seeds."""
    rows = [
        row
        for row in table.to_dict("records")
        if all(row[name] == value for name, value in about.items())
    ]
    return [100 * row["accuracy"] for row in sorted(rows, key=lambda row: row["seed"])]


def _best_last(table, heads: list[str]) -> Cells:
    """Return best, last and difference, seed by seed; the best of a group bold."""
    keys = list(dict.fromkeys(zip(*(table[head] for head in heads), strict=True)))
    cells: Cells = {key: {} for key in keys}
    for attack, label in LABELS.items():
        by_column: dict[str, dict[tuple[str, ...], list[float]]] = {}
        for key in keys:
            of = dict(zip(heads, key, strict=True)) | {"attack": attack}
            best, last = (_values(table, **of, checkpoint=c) for c in ("best", "last"))
            diff = [a - b for a, b in zip(best, last, strict=True)]
            for what, values in (("best", best), ("last", last), ("diff", diff)):
                by_column.setdefault(what, {})[key] = values
        for what, by in by_column.items():
            for key, values in by.items():
                rivals = [fmean(by[k]) for k in keys if k[:-1] == key[:-1]]
                is_best = fmean(values) == max(rivals)
                if what == "diff":  # of clean accuracy none is best
                    nearest = min(abs(rival) for rival in rivals)
                    is_best = attack != "none" and abs(fmean(values)) == nearest
                cells[key][f"{label} {what}"] = _cell(values, is_best)
    return cells


def _attacks(table) -> Cells:
    """Return a row a method and checkpoint, the best of a checkpoint bold."""
    keys = [
        (method, checkpoint)
        for method in sorted(set(table["method"]))
        for checkpoint in ("best", "best on test", "last")
    ]
    cells: Cells = {key: {} for key in keys}
    for attack, label in (LABELS | {"each_epoch": "every epoch's PGD"}).items():
        by = {
            (method, checkpoint): _values(
                table, method=method, checkpoint=checkpoint, attack=attack
            )
            for method, checkpoint in keys
        }
        for key, values in by.items():
            top = max(fmean(by[k]) for k in keys if k[-1] == key[-1])
            cells[key][label] = _cell(values, fmean(values) == top)
    return cells


def _costs(table) -> Cells:
    """Return medians and quartiles over rounds, methods in the table's order."""
    cells: Cells = {}
    for method in dict.fromkeys(table["method"]):
        rows = table[table["method"] == method]
        over, seconds = list(rows["over_pgd_at"]), list(rows["seconds"])
        first, _, third = quantiles(over, n=4, method="inclusive")
        cells[(method,)] = {
            "x PGD-AT's step": f"{median(over):.2f}",
            "quartiles": f"{first:.2f} to {third:.2f}",
            "ms a step": f"{1000 * median(seconds):.1f}",
        }
    return cells


def _compositions(table) -> Cells:
    """Return last accuracy and what labels add to it, with intervals over seeds."""
    cells: Cells = {}
    about = {"attack": "autoattack", "checkpoint": "last"}
    for key in dict.fromkeys(zip(table["augment"], table["weights"], strict=True)):
        of = about | {"augment": key[0], "weights": key[1]}
        row = cells.setdefault(key, {})
        given = _values(table, **of, labels="given")
        row["given labels"] = _interval(given)
        for labels in ("label_smoothing", "sgls"):
            values, name = _values(table, **of, labels=labels), METHODS[labels]
            row[name] = _interval(values)
            more = [a - b for a, b in zip(values, given, strict=True)]
            row[f"{name}, minus given"] = _interval(more, "+")
    return cells


def _interval(values: list[float], sign: str = "") -> str:
    at = fmean(values)
    reach = 4.302652729696 * stdev(values) / 3**0.5  # t's 97.5 %, two degrees
    return f"{at:{sign}.1f} [{at - reach:{sign}.1f}, {at + reach:{sign}.1f}]"


def _cell(values: list[float], is_best: bool) -> str:
    assert len(values) == 3, "seeds"
    text = f"{fmean(values):.1f} ± {stdev(values):.1f}"
    return f"**{text}**" if is_best else text


def _expected(name: str, table) -> tuple[list[str], Cells]:
    if name == "table5_attacks":
        return ["method", "checkpoint"], _attacks(table)
    if name == "table8_cost":
        return ["method"], _costs(table)
    if name == "table9_compositions":
        return ["augment", "weights"], _compositions(table)
    return ROWS[name], _best_last(table, ROWS[name])


def _markdown(text: str) -> list[list[str]]:
    head, _, *lines = [line for line in text.splitlines() if line.startswith("|")]
    return [
        line.removeprefix("| ").removesuffix(" |").split(" | ")
        for line in (head, *lines)
    ]


def _latex(text: str) -> list[list[str]]:
    """Return the rows as Markdown has them."""
    rows = [line[:-3] for line in text.splitlines() if line.endswith(r" \\")]
    bold = [re.sub(r"\\textbf\{(.*?)\}(?= &|$)", r"**\1**", row) for row in rows]
    plain = [row.replace(r"$\pm$", "±") for row in bold]
    return [re.sub(r"\\([%_&#])", r"\1", row).split(" & ") for row in plain]


@pytest.mark.parametrize("name", TABLES)
def test_cells_are_means_and_deviations_and_the_best_is_bold(name):
    table = random_table(name)
    heads, cells = _expected(name, table)
    first = next(iter(cells.values()))
    expected = [[*heads, *first]] + [
        [*(METHODS.get(field, field) for field in key), *row.values()]
        for key, row in cells.items()
    ]
    made = catalog.load_figure(name).render(table)
    assert _markdown(made["md"]) == expected
    assert _latex(made["tex"]) == expected
    bold = sum(text.startswith("**") for row in expected for text in row)
    assert bold or name in ("table8_cost", "table9_compositions")
