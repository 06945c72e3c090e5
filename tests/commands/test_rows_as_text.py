"""Rows and claims as text: no word broken on a terminal, tabs in a pipe."""

import io
import math
from unittest.mock import patch

import pytest
from command_line import rofit
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from rofit.commands import tables
from rofit.commands.registries import KINDS
from rofit.measures.claims import Claim

CLAIM = Claim("it [falls]", 8.0, 1.5, 3, "points", "at least 6", "holds", "ours [1]")
WORD = st.text("abc_-[]", min_size=1, max_size=12)
CELL = st.lists(WORD, min_size=1, max_size=6).map(" ".join)


def _printed(shown: object, width: int = 80) -> str:
    """Return what a terminal without colours shows."""
    file = io.StringIO()
    Console(file=file, width=width, color_system=None).print(shown, highlight=False)
    return file.getvalue()


def _claim(width: int = 80, **changes: object) -> str:
    claim = Claim(**(vars(CLAIM) | changes))
    return _printed(tables.claim_lines([claim], "fig1_gradnorm, demo", width), width)


def test_claim_has_a_mark_and_below_it_what_was_measured_and_needed():
    title, sentence, measured, *_ = _claim().splitlines()
    assert title == "fig1_gradnorm, demo"
    assert sentence == "✓ holds     it [falls] (ours [1])"
    assert measured.strip() == "8.00 ± 1.50 points, n = 3; needed at least 6"


def test_claim_of_one_seed_shows_no_spread_and_of_none_no_number():
    assert "8.00 points, n = 1; needed" in _claim(n=1, spread=math.nan)
    none = _claim(n=0, measured=math.nan, spread=math.nan)
    assert "not measured; needed at least 6" in none and "nan" not in none


@pytest.mark.parametrize(
    ("verdict", "mark"),
    [
        ("holds", "✓ holds"),
        ("fails", "✗ fails"),
        ("not decidable at this scale", "? undecided"),
    ],
)
def test_every_verdict_has_its_mark(verdict, mark):
    assert f"\n{mark} " in _claim(verdict=verdict)


def test_long_claim_is_wrapped_between_words():
    sentence = "robust accuracy of pgd_at falls from its best to the end of the run"
    lines = _claim(60, sentence=sentence).splitlines()
    assert max(map(len, lines)) <= 60
    text = " ".join(line[12:] for line in lines[1:])
    assert f"{sentence} (ours [1])" in text


@given(
    st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=4), st.integers(40, 90)
)
def test_no_word_is_broken_and_none_lost(rows, width):
    named = [dict(zip(("id", "b_c", "what it is"), row, strict=True)) for row in rows]
    lines = _printed(tables.table("runs", named, width), width).splitlines()
    shown = " ".join(lines).split()
    for row in rows:
        for cell in row:
            assert not set(cell.split()) - set(shown)
    assert max(map(len, lines)) <= width


def test_row_that_does_not_fit_is_a_paragraph():
    rows = [{"run": "a" * 30, "analysis": "b" * 30, "empty": None}]
    lines = _printed(tables.table("runs", rows, 60), 60).splitlines()
    assert lines[:3] == ["runs", f"run       {'a' * 30}", f"analysis  {'b' * 30}"]


def test_values_are_shown_as_people_read_them():
    row = {"a_b": True, "c": 0.125, "d": math.nan, "e": "[x]", "f": [1, 2], "g": 3}
    lines = _printed(tables.table("things", [row, row | {"a_b": False}], 80))
    title, headings, first, second = lines.splitlines()
    assert title.strip() == "things" and headings.split()[:2] == ["a", "b"]
    assert first.split() == ["yes", "0.125", "[x]", "1,", "2", "3"]
    assert second.split()[0] == "no"


def test_nothing_is_said_to_be_nothing():
    assert "nothing yet" in _printed(tables.table("runs", [], 80))


def test_pipe_gets_a_line_a_row_with_tabs_between():
    rows = [{"run": "a b", "note": "two\nlines\tand a tab", "n": 3, "gap": None}]
    assert tables.tab_separated("runs in [x]", rows) == (
        "# runs in [x]\nrun\tnote\tn\tgap\na b\ttwo lines and a tab\t3\t\n"
    )
    assert tables.tab_separated("runs", []) == "# runs\n"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_listed_alone_in_eighty_columns(tmp_path, kind):
    with patch.dict("os.environ", {"FORCE_COLOR": "1", "TERM": "dumb"}):
        answer = rofit(tmp_path, "list", kind.replace(" ", ""), columns=80)
    lines = answer.out.splitlines()
    assert answer.code == 0 and max(map(len, lines)) <= 80
    names = {str(row["name"]) for row in KINDS[kind]()}
    assert names <= set(answer.out.split())


def test_unknown_kind_is_one_sentence_with_all_there_are(tmp_path):
    answer = rofit(tmp_path, "list", "method")
    assert answer.code == 2 and answer.err.count("\n") == 1
    assert "'methods'" in answer.err and "'sinks'" in answer.err
