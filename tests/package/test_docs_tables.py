"""The tables in docs/*.md say what is registered: they are those of docs/tables.py."""

import re

import pytest
import tables
from documents import TEXTS

from rofit.diagnostics import DIAGNOSTICS
from rofit.methods import METHODS

MARKED = [name for name, text in TEXTS.items() if "<!-- table: " in text]


@pytest.mark.parametrize("name", MARKED)
def test_tables_are_what_the_registries_say(name):
    assert tables.filled(TEXTS[name]) == TEXTS[name], "run: make docs"


def test_every_table_stands_in_one_document():
    shown = [
        n for name in MARKED for n in re.findall(r"<!-- table: (.+?) -->", TEXTS[name])
    ]
    assert sorted(shown) == sorted(tables.TABLES)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("| `awp` |", "| `apw` |"), ("| `beta` | 6.0 |", "| `beta` | 5.5 |")],
)
def test_table_that_says_something_else_is_noticed(right, wrong):
    text = TEXTS["docs/methods.md"]
    assert right in text
    assert tables.filled(text.replace(right, wrong)) == text


def test_row_that_is_missing_and_a_table_that_is_unknown_are_noticed():
    text = TEXTS["docs/evaluation.md"]
    shorter = re.sub(r"\| `fgsm` .*\n", "", text)
    assert shorter != text and tables.filled(shorter) == text
    with pytest.raises(KeyError, match="colours"):
        tables.filled("<!-- table: colours -->\n<!-- end of table -->")


def test_rows_have_what_the_files_say():
    methods = list(tables.methods())
    assert [row["name"] for row in methods] == [f"`{name}`" for name in METHODS]
    sources = {row["name"]: row for row in tables.sources()}
    assert sources["`swa`"]["source"].startswith("Izmailov et al. 2018")
    assert sources["`swa`"]["differs"].startswith("the schedule of the learning rate")
    norms = list(tables.metrics("gradient_norm"))
    assert [row["unit"] for row in norms] == ["nats / weight", "weight", "nats"]
    fields = {row["name"]: row for row in tables.settings()}
    assert fields["`epsilon`"]["default"] == "8/255"
    assert fields["`momentum`"]["range"] == "0 to 1"


def test_every_diagnostic_has_a_section_with_its_metrics():
    text = TEXTS["docs/diagnostics.md"]
    for name in DIAGNOSTICS:
        assert re.search(
            rf"^## [^\n]+\n\n<!-- table: metrics of {name} -->", text, re.M
        )
