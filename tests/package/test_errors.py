"""Unknown names are answered with what exists, the nearest first."""

import pytest

from rofit.diagnostics import DIAGNOSTICS, find_diagnostic
from rofit.errors import UserError, unknown
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
