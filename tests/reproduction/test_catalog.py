"""Analyses are found by file name, and each keeps the contract that reproduce needs."""

import importlib
import re

import pytest

from rofit.diagnostics import DIAGNOSTICS
from rofit.errors import UserError
from rofit.methods import METHODS
from rofit.methods.resolve import resolve
from rofit.reproduction import catalog
from rofit.reproduction.plan import Request, plan
from rofit.settings.recipes import FIGURES, RECIPES
from rofit.settings.scales import SCALES
from rofit.settings.spec import RunSpec

NAMES = catalog.analysis_names()


@pytest.mark.parametrize("name", NAMES)
def test_analysis_defines_what_is_needed_and_names_things_that_exist(name):
    analysis = catalog.load_analysis(name)
    assert all(hasattr(analysis, needed) for needed in catalog.NEEDED)
    assert set(analysis.DIAGNOSTICS) <= set(DIAGNOSTICS)
    assert analysis.STATUS in ("caption known", "planned by rofit", "ours")
    assert all(analysis.COLUMNS.values()), "every column says what it is"
    assert {"scale", "data"} & set(analysis.COLUMNS) == set(), "reproduce adds these"
    assert catalog.summary(analysis) and not catalog.summary(analysis).endswith(".")


def test_runs_of_figures_are_of_the_recipe_that_train_names():
    """Without ``--recipe``, `rofit train` says that no figure shares its runs."""
    specs = [spec for name in NAMES for spec in catalog.load_analysis(name).runs()]
    ours = [spec for spec in specs if RECIPES[FIGURES].apply(spec) == spec]
    assert len(ours) > len(specs) / 2


@pytest.mark.parametrize("name", NAMES)
def test_analysis_asks_for_distinct_runs_of_known_methods_at_paper_size(name):
    specs = catalog.load_analysis(name).runs()
    assert specs and all(isinstance(spec, RunSpec) for spec in specs)
    assert all(spec.method in METHODS and spec.seed == 0 for spec in specs)
    assert len({resolve(spec).run_id for spec in specs}) == len(specs)
    assert [spec.run_id for spec in catalog.load_analysis(name).runs()] == [
        spec.run_id for spec in specs
    ]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", NAMES)
def test_runs_stay_distinct_at_every_scale(name, scale):
    specs = plan(Request(name, scale))
    assert len({spec.run_id for spec in specs}) == len(specs)
    assert specs == [resolve(spec) for spec in specs], "a default is spelled out"
    runs = catalog.load_analysis(name).runs()
    assert len(specs) == SCALES[scale].seeds * len(runs)


@pytest.mark.parametrize("name", NAMES)
def test_analysis_is_found_by_the_number_in_its_name_and_title(name):
    stem = re.fullmatch(r"(fig|table|theorem)(\d+)_\w+", name)
    assert stem is not None
    kind = stem[1].replace("fig", "figure")
    assert name in catalog.find_by_number(kind, int(stem[2]))
    assert catalog.load_analysis(name).PAPER == f"{kind.capitalize()} {stem[2]}"


@pytest.mark.parametrize("name", NAMES)
def test_analysis_has_a_figure_that_draws_or_a_table_that_is_rendered(name):
    made_by = "render" if name.startswith("table") else "draw"
    assert callable(getattr(catalog.load_figure(name), made_by))


def test_number_matches_whole_numbers_only(monkeypatch):
    names = ["fig1_a", "fig1_b", "fig12_c", "table1_d"]
    monkeypatch.setattr(catalog, "analysis_names", lambda: names)
    assert catalog.find_by_number("figure", 1) == ["fig1_a", "fig1_b"]
    assert catalog.find_by_number("figure", 12) == ["fig12_c"]
    assert catalog.find_by_number("table", 1) == ["table1_d"]
    with pytest.raises(
        UserError, match="no analysis for figure 2 yet; there are: fig1"
    ):
        catalog.find_by_number("figure", 2)


def test_unknown_analysis_is_answered_with_the_nearest():
    with pytest.raises(
        UserError, match="unknown analysis 'fig1_grad'; did you mean fig1"
    ):
        catalog.load_analysis("fig1_grad")


@pytest.mark.parametrize("lacking", catalog.NEEDED)
def test_analysis_that_lacks_a_needed_name_is_refused(lacking, monkeypatch):
    monkeypatch.delattr(catalog.load_analysis(NAMES[0]), lacking)
    with pytest.raises(UserError, match=f"analysis {NAMES[0]} must define {lacking}"):
        catalog.load_analysis(NAMES[0])


def test_analysis_without_a_figure_is_refused():
    with pytest.raises(UserError, match="fig99_x has no figures/fig99_x.py"):
        catalog.load_figure("fig99_x")


def test_module_that_a_figure_misses_is_not_taken_for_the_figure(monkeypatch):
    def miss(name: str) -> None:
        if name.endswith(NAMES[0]):
            raise ModuleNotFoundError("No module named 'seaborn'", name="seaborn")

    monkeypatch.setattr(importlib, "import_module", miss)
    with pytest.raises(ModuleNotFoundError, match="seaborn"):
        catalog.load_figure(NAMES[0])


def test_checkout_that_is_not_installed_says_how_to(monkeypatch):
    def miss(name: str) -> None:
        raise ModuleNotFoundError(f"No module named '{name}'", name=name)

    monkeypatch.setattr(importlib, "import_module", miss)
    with pytest.raises(
        UserError, match="rofit.analyses is not installed: run 'pip inst"
    ):
        catalog.analysis_names()
