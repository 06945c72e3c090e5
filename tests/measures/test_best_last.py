"""Best and last of runs under attack, from runs and evaluations made up by hand."""

from pathlib import Path

import pandas as pd
import pytest
from made_up_logs import course, write_evaluation, write_run

from rofit.measures import best_last
from rofit.measures.best_last import by_checkpoint, by_seed, falls, is_full_size, shared
from rofit.measures.reported import published
from rofit.methods.resolve import described
from rofit.settings.spec import RunSpec
from rofit.store.rows import load_logs
from rofit.store.runs import RunStore

EPOCH_END = {"metric": "accuracy", "measured": "epoch_end"}
TEST = [0.1, 0.3, 0.35, 0.2]  # the test images' own best epoch is 3
VAL = [0.2, 0.4, 0.3, 0.2]  # the validation images': 2
MADE = {
    ("best", "none"): 0.8,
    ("last", "none"): 0.85,
    ("best", "pgd20"): 0.31,
    ("last", "pgd20"): 0.22,
}
ONE = RunSpec(epochs=4)
TWO = ONE.replace(method="sgls", seed=1)


def _write(root: Path, spec: RunSpec, *, without: tuple = (), val: bool = True) -> None:
    """Write a run and MADE's evaluations, but those that are named."""
    rows = course(TEST, **EPOCH_END, split="test", attack="pgd10", n=64)
    rows += course([0.9] * 4, **EPOCH_END, split="test", attack="none", n=64)
    if val:
        rows += course(VAL, **EPOCH_END, split="val", attack="pgd10", n=30)
    write_run(root, spec, rows)
    for (checkpoint, attack), accuracy in MADE.items():
        if (checkpoint, attack) not in without:
            best = 2 if val else 3  # the peaks of VAL and of TEST
            fields = {"epoch": best} if checkpoint == "best" else {}
            write_evaluation(root, spec, checkpoint, attack, accuracy, **fields)


def _twice(root: Path, checkpoint: str, attack: str, **about: object) -> None:
    """Write an evaluation of ONE beside that of the same checkpoint and attack."""
    folder = RunStore(root).folder(ONE.run_id).path / "evaluations"
    (there,) = folder.glob(f"{checkpoint}-{attack}-*")
    kept = there.rename(folder / "kept")
    write_evaluation(root, ONE, checkpoint, attack, 0.99, **about)
    there.rename(folder / "a-second")
    kept.rename(there)


def _table(root: Path, *specs: RunSpec, fields: tuple[str, ...] = ()) -> pd.DataFrame:
    return by_checkpoint(load_logs(root, [spec.run_id for spec in specs]), *fields)


def _accuracies(table: pd.DataFrame, spec: RunSpec) -> dict[tuple[str, str], float]:
    rows = table[(table["method"] == spec.method) & (table["seed"] == spec.seed)]
    return rows.set_index(["checkpoint", "attack"])["accuracy"].to_dict()


@pytest.fixture
def table(tmp_path) -> pd.DataFrame:
    for spec in (ONE, TWO):
        _write(tmp_path, spec)
    return _table(tmp_path, ONE, TWO, fields=("norm", "dataset"))


def test_row_a_run_checkpoint_and_attack_with_the_fields_asked_for(table):
    assert list(table) == ["norm", "dataset", *best_last.COLUMNS]
    assert not table.duplicated(["method", "seed", "checkpoint", "attack"]).any()
    every_epochs = {"best": 0.3, "last": 0.2, "best on test": 0.35}
    for spec in (ONE, TWO):
        assert _accuracies(table, spec) == MADE | {
            (checkpoint, "each_epoch"): v for checkpoint, v in every_epochs.items()
        }
    assert set(table["norm"]) == {"linf"} and set(table["dataset"]) == {"cifar10"}


def test_epoch_of_a_checkpoint_images_and_who_chose_it(table):
    one = table[table["method"] == "pgd_at"]
    rows = one.set_index(["checkpoint", "attack"])[["selected_on", "epoch", "n"]]
    assert rows.loc[("best", "each_epoch")].tolist() == ["val", 2, 64]
    assert rows.loc[("last", "each_epoch")].tolist() == ["", 4, 64]
    assert rows.loc[("best on test", "each_epoch")].tolist() == ["test", 3, 64]
    assert rows.loc[("best", "pgd20")].tolist() == ["val", 2, 64]
    assert rows.loc[("last", "pgd20")].tolist() == ["", 4, 64]
    assert set(one["epochs"]) == {4}


def test_without_validation_images_the_test_images_have_chosen(tmp_path):
    _write(tmp_path, ONE, val=False)
    table = _table(tmp_path, ONE).set_index(["checkpoint", "attack"])
    assert table.loc[("best", "each_epoch"), ["selected_on", "accuracy"]].tolist() == [
        "test",
        0.35,
    ]
    assert table.loc[("best", "pgd20"), "selected_on"] == "test"


def test_evaluation_at_another_radius_is_left_out(tmp_path):
    _write(tmp_path, ONE)
    for epsilon in (4 / 255, 16 / 255):
        write_evaluation(tmp_path, ONE, "last", "pgd20", 0.99, epsilon=epsilon)
    assert 0.99 not in set(_table(tmp_path, ONE)["accuracy"])


def test_evaluation_of_another_checkpoint_is_left_out(tmp_path):
    _write(tmp_path, ONE)
    write_evaluation(tmp_path, ONE, "epoch-0003", "pgd20", 0.99, epoch=3)
    assert 0.99 not in set(_table(tmp_path, ONE)["accuracy"])


SECOND = {
    "norm": {"norm": "l2"},
    "images": {"n": 10},
    "an earlier last": {"epoch": 2, "network": "cd34"},
}


@pytest.mark.parametrize("other", SECOND)
def test_evaluation_of_another_kind_is_left_out(tmp_path, other):
    _write(tmp_path, ONE)
    _twice(tmp_path, "last", "pgd20", **SECOND[other])
    table = _table(tmp_path, ONE)
    assert not table.duplicated(["method", "seed", "checkpoint", "attack"]).any()
    assert _accuracies(table, ONE)["last", "pgd20"] == MADE["last", "pgd20"]


@pytest.mark.parametrize("read", [True, False])
def test_runs_that_were_not_evaluated_have_every_epochs_attack(tmp_path, read):
    _write(tmp_path, ONE, without=() if not read else tuple(MADE))
    logs = load_logs(tmp_path, [ONE.run_id], evaluations=read)
    assert set(by_checkpoint(logs)["attack"]) == {"each_epoch"}


@pytest.mark.parametrize("lacking", MADE, ids=" ".join)
def test_attack_that_one_run_lacks_at_one_checkpoint_is_left_out_of_all(
    tmp_path, lacking
):
    _write(tmp_path, ONE)
    _write(tmp_path, TWO, without=(lacking,))
    made = _table(tmp_path, ONE, TWO)["attack"]
    assert set(made) == {"none", "pgd20", "each_epoch"} - {lacking[1]}


def test_runs_stand_in_the_order_of_the_logs(tmp_path):
    specs = [ONE.replace(method=m) for m in ("trades", "awp", "pgd_at", "adr")]
    for spec in specs:
        _write(tmp_path, spec)
    methods = _table(tmp_path, *specs)["method"].drop_duplicates()
    assert methods.tolist() == ["trades", "awp", "pgd_at", "adr"]


COMPOSED = {
    "trades+sglr": RunSpec(method="trades", labels_from="sglr"),
    "pgd_at+awp": RunSpec(weights_from=("awp",)),
    "trades+sgls+awp+swa": RunSpec(
        method="trades", labels_from="sgls", weights_from=("awp", "swa")
    ),
    "trades": RunSpec(method="trades"),
}


def test_method_is_named_with_the_parts_that_it_takes(tmp_path):
    specs = [spec.replace(epochs=4) for spec in COMPOSED.values()]
    for spec in specs:
        _write(tmp_path, spec)
    table = _table(tmp_path, *specs)
    assert table["method"].drop_duplicates().tolist() == list(COMPOSED)
    by = table.groupby("method")["published"].first()
    assert by["trades+sglr"] == "" != by["trades"]


def test_one_composed_run_alone_is_named_as_well(tmp_path):
    settings = described(COMPOSED["trades+sglr"].replace(epochs=4))
    settings = {k: v for k, v in settings.items() if k not in ("run_id", "family_id")}
    spec = RunSpec.from_dict(settings)  # every parameter given, as in a trained run
    _write(tmp_path, spec)
    assert set(_table(tmp_path, spec)["method"]) == {"trades+sglr"}


def test_strongest_is_the_first_that_was_made(table):
    assert best_last.strongest(table) == "pgd20"
    for attack in ("cw100", "autoattack"):
        added = table.assign(attack=table["attack"].replace("none", attack))
        assert best_last.strongest(added) == attack
    plain = table[~table["attack"].isin(["none", "pgd20"])]
    assert best_last.strongest(plain) == "each_epoch"


def test_seeds_are_in_points_and_falls_are_best_minus_last(table):
    assert by_seed(table, "sgls", "pgd20", "last").to_dict() == {1: pytest.approx(22)}
    assert falls(table, "sgls", "pgd20").to_dict() == {1: pytest.approx(9)}
    assert falls(table, "pgd_at", "none").to_dict() == {0: pytest.approx(-5)}
    assert len(falls(table, "awp", "pgd20")) == 0, "not there"


def test_shared_differences_are_of_seeds_that_both_have():
    one = pd.Series({0: 5.0, 1: 6.0, 3: 9.0})
    other = pd.Series({3: 1.0, 1: 2.0, 2: 8.0})
    assert shared(one, other) == [4.0, 8.0]
    assert shared(one, other[[2]]) == shared(one, other[:0]) == []


def test_full_size_needs_the_papers_scale_and_length(table):
    full = table.assign(scale="paper", epochs=200)
    assert is_full_size(full)
    assert not is_full_size(full.assign(scale="gpu"))
    assert not is_full_size(full.assign(epochs=199))


def test_what_others_publish_stands_in_each_row_of_the_method(table):
    for method, dataset, text in zip(
        table["method"], table["dataset"], table["published"], strict=True
    ):
        assert text == published(method, dataset, "linf", "preact_resnet18") != ""
