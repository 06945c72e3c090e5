"""What stands beside the numbers in tables of best and last, and what is not made."""

from itertools import product

import pandas as pd
import pytest
from made_up_logs import course, saved, write_evaluation, write_run
from made_up_tables import NAMES, made_up
from rofit.analyses import table3_architectures as table3
from rofit.figures._sources import KINDS, with_names
from rofit.figures._sources import NAMES as NAMES_OF_SOURCES

from rofit.evaluation.cases import read_cases
from rofit.measures.reported import published, reported
from rofit.reproduction import catalog
from rofit.settings.scales import SCALES
from rofit.settings.spec import RunSpec
from rofit.store.rows import load_logs

ALL = ("none", "pgd20", "cw100", "autoattack")
SOURCE = "AutoAttack best 50.39 (adr_readme, authors, resnet18)"
NAMED = "AutoAttack best 50.39 (ADR, Wu et al. 2024; authors; ResNet-18)"
PUBLISHING = [name for name in NAMES if name != "table7_components"]


def _table(
    *,
    attacks: tuple[str, ...] = ALL,
    seeds: int = 2,
    split: str = "val",
    **changes: str,
) -> pd.DataFrame:
    """Return two settings, which every table's rows can be named by; one is flat."""
    rows = [
        {
            "scale": "demo",
            "data": "digits, 400 training images, linf 8/255",
            "dataset": "cifar10",
            "model": "wrn_34_10",
            "norm": "linf",
            "variant": variant,
            "method": method,
            "seed": seed,
            "checkpoint": checkpoint,
            "selected_on": split if checkpoint == "best" else "",
            "epoch": 4 if checkpoint == "last" else 2,
            "epochs": 4,
            "attack": attack,
            "accuracy": 0.5 - (0.25 if method == "pgd_at" and which else 0),
            "n": 250,
            "published": "",
        }
        | changes
        for method, variant in (("pgd_at", "neither"), ("sglr", "both"))
        for seed in range(seeds)
        for which, checkpoint in enumerate(("best", "last"))
        for attack in (*attacks, "each_epoch")
    ]
    return pd.DataFrame(rows)


def _rendered(name: str, **options) -> dict[str, str]:
    return catalog.load_figure(name).render(saved(_table(**options)))


def _note(name: str, **options) -> str:
    made = _rendered(name, **options)
    note = made["md"].splitlines()[-1]
    assert made["tex"].splitlines()[-1] == f"% {note}", "the same under both"
    return note


@pytest.mark.parametrize("name", NAMES)
def test_note_says_scale_data_seeds_and_images(name):
    assert _note(name).startswith(
        "rofit, scale demo, not the paper's; digits, 400 training images, linf 8/255; "
        "2 seeds, mean ± standard deviation, per cent of 250 test images. best: "
        "chosen on validation images; diff: best minus last. Bold: highest, and "
        "the robust diff nearest to zero."
    )
    assert _note(name, scale="paper").startswith("rofit, scale paper; digits")


@pytest.mark.parametrize("name", NAMES)
def test_note_says_who_chose_best(name):
    assert "best: chosen on test images;" in _note(name, split="test")


LACKING = {
    ALL: "",
    ("none", "pgd20", "autoattack"): "",
    ("none", "pgd20", "cw100"): " Not evaluated at this scale: AutoAttack.",
    ("none", "autoattack"): " Not evaluated at this scale: PGD-20.",
    ("none",): " Not evaluated at this scale: PGD-20, AutoAttack.",
}


@pytest.mark.parametrize("attacks", LACKING, ids=" ".join)
@pytest.mark.parametrize("name", NAMES)
def test_note_says_what_was_not_evaluated(name, attacks):
    note = _note(name, attacks=attacks)
    assert note.endswith(LACKING[attacks]) and note.count("Not evaluated") == bool(
        LACKING[attacks]
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_epochs_attack_is_shown_where_there_is_no_other(name):
    for attacks in (("none",), ()):
        head = _rendered(name, attacks=attacks)["md"].splitlines()[0]
        assert "every epoch's PGD best | every epoch's PGD last | every" in head
    for attack in ("pgd20", "autoattack"):
        head = _rendered(name, attacks=("none", attack))["md"].splitlines()[0]
        assert "every epoch" not in head


@pytest.mark.parametrize("name", NAMES)
def test_note_ends_with_what_is_absent_for_want_of_data(name):
    absent = "cifar100 (pass an archive with --data); svhn (no network)"
    assert _note(name, absent=absent).endswith(f" not drawn: {absent}")
    assert "not drawn" not in _note(name)


@pytest.mark.parametrize("name", NAMES)
def test_one_seed_has_no_deviation(name):
    text = _rendered(name, seeds=1)["md"].splitlines()[2]
    assert "| **50.0** | 25.0 | 25.0 |" in text and "±" not in text
    assert "; 1 seed, mean" in _note(name, seeds=1)


@pytest.mark.parametrize("name", NAMES)
def test_equals_are_all_bold(name):
    plain, refined = _rendered(name)["md"].splitlines()[2:4]
    assert plain.count("**50.0 ± 0.0** | 25.0 ± 0.0 | 25.0 ± 0.0") == len(ALL)
    robust = len(ALL) - 1
    assert refined.count("**50.0 ± 0.0** | **50.0 ± 0.0** | **0.0 ± 0.0**") == robust
    assert refined.count("**50.0 ± 0.0** | **50.0 ± 0.0** | 0.0 ± 0.0") == 1, "clean"


@pytest.mark.parametrize("name", NAMES)
def test_bold_is_the_robust_diff_nearest_to_zero_and_no_clean_one(name):
    table = _table()
    shift = {"best": 0.0, "last": 0.1}  # PGD-AT falls by 15 points, SGLR by minus 10
    table["accuracy"] += table["checkpoint"].map(shift)
    plain, refined = (
        catalog.load_figure(name).render(saved(table))["md"].splitlines()[2:4]
    )
    assert plain.count("| 15.0 ± 0.0 |") == len(ALL) and "**15.0" not in plain
    assert refined.count("**-10.0 ± 0.0**") == len(ALL) - 1
    assert refined.count("| -10.0 ± 0.0 |") == 1


@pytest.mark.parametrize("name", PUBLISHING)
def test_published_stands_in_the_last_column_and_in_no_cell_of_ours(name):
    head, _, *lines = _rendered(name, published=SOURCE)["md"].splitlines()[:4]
    assert head.endswith("| published |")
    assert [line.endswith(f"| {NAMED} |") for line in lines] == [True, True]


@pytest.mark.parametrize("name", PUBLISHING)
def test_note_tells_of_published_numbers_only_where_there_are_any(name):
    assert "published" not in _rendered(name)["md"].splitlines()[0]
    assert "Published" not in _note(name)


def test_every_source_kind_and_network_of_what_is_published_has_a_readers_name():
    rows = reported()
    assert set(rows["source"]) == NAMES_OF_SOURCES.keys()
    assert set(rows["kind"]) == KINDS.keys()
    methods = product(set(rows["method"]), set(rows["dataset"]), set(rows["norm"]))
    for method, dataset, norm in methods:
        for model in ("preact_resnet18", "wrn_34_10"):
            text = with_names(published(method, dataset, norm, model))
            assert "_" not in text, text


def test_numbers_of_small_networks_do_not_stand_beside_a_large_one(tmp_path):
    specs = [RunSpec(model=model, epochs=2) for model in table3.MODELS]
    about = {"metric": "accuracy", "measured": "epoch_end", "attack": "pgd20"}
    for spec in specs:
        write_run(tmp_path, spec, course([0.1, 0.2], **about, split="test", n=64))
        write_evaluation(tmp_path, spec, "last", "none", 0.5)
    logs = load_logs(tmp_path, [spec.run_id for spec in specs])
    published = table3.table(logs).groupby("model")["published"].first()
    assert published["preact_resnet18"] != ""
    assert "resnet18" not in published["wrn_34_10"]


def test_variant_that_table_7_has_no_name_for_is_called_by_its_method(
    tmp_path, monkeypatch
):
    table7 = catalog.load_analysis("table7_components")
    more = {"TRADES": RunSpec(method="trades")}
    monkeypatch.setattr(table7, "VARIANTS", table7.VARIANTS | more)
    named = list(dict.fromkeys(made_up(tmp_path, table7, ())["variant"]))
    assert named == [*table7.VARIANTS][:-1] + ["trades"]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", NAMES)
def test_what_takes_too_long_at_a_scale_is_left_out_there(name, scale):
    lacking = ("autoattack",) if scale not in ("gpu", "paper") else ()
    lacking += ("cw100",) if scale == "smoke" else ()
    every = ("clean", "pgd20", "cw100", "autoattack")
    evaluations = catalog.evaluations(name, scale)
    assert evaluations == tuple(attack for attack in every if attack not in lacking)
    assert catalog.load_analysis(name).EVALUATIONS == every


@pytest.mark.parametrize("name", NAMES)
def test_what_is_evaluated_are_attacks_that_there_are_in_either_norm(name):
    for spec in catalog.load_analysis(name).runs():
        cases = read_cases(catalog.evaluations(name, "paper"), spec, n=64)
        assert {case.attack for case in cases} == set(ALL)
        assert {case.threat.norm for case in cases if case.attack != "none"} == {
            spec.norm
        }
