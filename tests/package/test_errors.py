"""Unknown names are answered with what exists, the nearest first."""

import pytest
from command_line import rofit

from rofit.diagnostics import DIAGNOSTICS, find_diagnostic
from rofit.errors import UserError, quoted, unknown
from rofit.methods import METHODS, find_method
from rofit.reproduction import catalog
from rofit.settings import recipes, scales

REGISTRIES = {
    "scale": (scales.find_scale, scales.SCALES),
    "recipe": (recipes.find_recipe, recipes.RECIPES),
    "method": (find_method, METHODS),
    "diagnostic": (find_diagnostic, DIAGNOSTICS),
    "analysis": (catalog.load_analysis, catalog.analysis_names()),
}


def test_nearest_name_is_proposed_before_the_list():
    text = str(unknown("colour", "grene", ["blue", "green", "greens"]))
    assert text == (
        "unknown colour 'grene'; did you mean green or greens? "
        "(known: blue, green, greens)"
    )


def test_without_a_near_name_only_the_list_is_given_sorted():
    text = str(unknown("colour", "xyz", iter(["red", "blue"])))
    assert text == "unknown colour 'xyz'; known: blue, red"


def test_at_most_three_names_are_proposed():
    text = str(unknown("run", "run", [f"run{i}" for i in range(9)]))
    assert text.partition("?")[0].count("run") == 5  # the kind, the name, three others


def test_user_error_is_a_value_error_so_that_notebooks_can_catch_it():
    assert issubclass(UserError, ValueError)


@pytest.mark.parametrize("kind", REGISTRIES)
def test_lookup_finds_every_name_and_proposes_the_nearest_for_a_slip(kind):
    find, names = REGISTRIES[kind]
    for name in names:
        find(name)
        slip = f"{name}x"
        with pytest.raises(
            UserError, match=f"unknown {kind} '{slip}'; did you mean"
        ) as e:
            find(slip)
        proposed = str(e.value).partition("did you mean ")[2].partition("?")[0]
        assert name == proposed.split(" or ")[0]


def test_sentence_is_one_line_whatever_it_repeats():
    text = str(UserError("no run 'a\nTraceback\x1b[31m\0\udcff'"))
    assert text == r"no run 'a\nTraceback\x1b[31m\x00\udcff'"


@pytest.mark.parametrize("sentence", ["no " + "x" * 10**6 + " here", "a b " * 10**5])
def test_sentence_of_a_huge_input_keeps_both_its_ends(sentence):
    text = str(UserError(sentence))
    assert len(text) <= 1000 and max(map(len, text.split())) <= 200
    assert text.startswith(sentence[:4]) and text.endswith(sentence[-4:])
    assert str(UserError(text)) == text


@pytest.mark.parametrize("value", ["8/255", 3, 0.5, None, (1, 2), ["a"], True])
def test_short_value_is_quoted_as_python_writes_it(value):
    assert quoted(value) == repr(value)


@pytest.mark.parametrize(
    "value",
    ["x" * 10**6, 10**5000, [[1] * 99] * 99, {1: "y" * 999}],
    ids=["text", "number", "list", "mapping"],
)
def test_long_value_is_quoted_in_200_characters(value):
    assert 0 < len(quoted(value)) <= 200


def test_value_of_any_depth_is_quoted():
    deep: list[object] = []
    for _ in range(10**5):
        deep = [deep]
    assert len(quoted(deep)) <= 200


def test_unknown_name_of_any_length_or_type_is_answered():
    assert len(str(unknown("colour", "x" * 10**6, ["red"]))) < 300
    assert str(unknown("colour", 3, ["red"])) == "unknown colour 3; known: red"


def test_lack_of_memory_is_one_sentence(monkeypatch, tmp_path):
    def fail(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr("rofit.commands.inventory.status", fail)
    answer = rofit(tmp_path, "status")
    assert answer.code == 1 and answer.err.count("\n") == 1
    assert "too little memory" in answer.err
