"""Per-image predictions: what is kept of them, where, and the question they answer."""

import math

import pandas as pd
import pytest
import torch
from made_up_views import (
    ATTACK,
    assert_watching_changes_nothing,
    random_logits,
    softmax,
    view_of,
)

from rofit.diagnostics.predictions import SPLITS, Predictions
from rofit.evaluation.finite import NotFinite

ABOUT = ["split", "attacked", "position", "y", "true"]
LIMITS = {("test", "none"): 512, ("test", ATTACK.name): 512, ("train", "none"): 256}


def _problem(n_train, n_test, n_classes=4):
    """Return logits, given classes by split, and true ones of the training images."""
    train, given = random_logits(n_train, n_classes, seed=1)
    clean, y = random_logits(n_test, n_classes, seed=2)
    attacked, _ = random_logits(n_test, n_classes, seed=3)
    all_logits = {("train", "none"): train, ("test", "none"): clean}
    all_logits["test", ATTACK.name] = attacked
    return all_logits, {"train": given, "test": y}, given.roll(1)


def _table(all_logits, y, true):
    measured = Predictions().measure(view_of(all_logits, y=y, true=true))
    assert measured.rows == []
    assert {len(column) for column in measured.samples.values()} == {
        len(measured.samples["y"])
    }
    return pd.DataFrame({k: column.numpy() for k, column in measured.samples.items()})


@pytest.mark.parametrize(("n_train", "n_test"), [(300, 600), (100, 40), (256, 512)])
def test_each_image_has_its_probabilities_and_both_classes(n_train, n_test):
    """The first 512 test images twice and 256 training images, or all there are."""
    all_logits, y, true = _problem(n_train, n_test)
    table = _table(all_logits, y, true).set_index(ABOUT[:3])
    assert table.index.is_unique
    total = 0
    for (split, attack), most in LIMITS.items():
        truth = true if split == "train" else y["test"]
        logits = all_logits[split, attack][:most]
        total += len(logits)
        for i, row in enumerate(logits.tolist()):
            entry = table.loc[(SPLITS.index(split), int(attack != "none"), i)]
            assert (entry["y"], entry["true"]) == (y[split][i], truth[i])
            p = entry[["p0", "p1", "p2", "p3"]].tolist()
            assert p == pytest.approx(softmax(row), rel=1e-7)  # rounded to float32
    assert len(table) == total


@pytest.mark.parametrize("n_classes", [2, 10, 100])
def test_columns_are_a_probability_a_class_in_float32(n_classes):
    table = _table(*_problem(30, 30, n_classes))
    assert list(table) == [*ABOUT, *(f"p{k}" for k in range(n_classes))]
    p = table.iloc[:, len(ABOUT) :]
    assert set(p.dtypes.astype(str)) == {"float32"}
    assert all(pd.api.types.is_integer_dtype(table[name]) for name in ABOUT)
    assert (p.astype(float).sum(axis=1) - 1).abs().max() < 1e-6


def test_small_probabilities_survive():
    """float16 would make 1e-8 a zero, and float32 keeps it to seven digits."""
    logits = torch.tensor([[0.0, math.log(1e-8)], [math.log(1e-30), 0.0]])
    all_logits = {("train", "none"): logits, ("test", "none"): logits}
    all_logits["test", ATTACK.name] = logits
    y = {"train": torch.tensor([0, 1]), "test": torch.tensor([0, 1])}
    table = _table(all_logits, y, y["train"])
    assert table["p1"][0] == pytest.approx(1e-8, rel=1e-5)  # of logits in float32
    assert table["p0"][1] == pytest.approx(1e-30, rel=1e-5)


def test_they_are_kept_four_times_a_run_the_last_epoch_among_them():
    due = [e for e in range(1, 201) if Predictions.when.due(e, range(1, 201))]
    assert due == [50, 100, 150, 200]


def test_a_runs_files_join_into_the_ensembles_information(
    smoke_spec, tmp_path, monkeypatch
):
    """Two seeds see the same test images at the same positions, clean and attacked.

    H(mean p) - mean H(p) is zero for a network beside itself, above for two.
    """
    tables = []
    for seed in (0, 1):
        folder = assert_watching_changes_nothing(
            "predictions",
            Predictions,
            smoke_spec(method="sgls", seed=seed),
            tmp_path / str(seed),
            monkeypatch,
        )
        files = sorted(path.name for path in folder.samples.glob("predictions-*"))
        assert files == ["predictions-0001.parquet", "predictions-0002.parquet"]
        tables.append(pd.read_parquet(folder.samples / files[-1]))
    one, other = (table.set_index(ABOUT) for table in tables)
    assert one.index.equals(other.index) and len(one) == 64 + 64 + 128
    assert (one.index.get_level_values("y") != one.index.get_level_values("true")).any()
    assert _information([one, one]) == pytest.approx(0, abs=1e-12)
    assert 0 < _information([one, other]) < math.log(2)


def _information(tables):
    """Return mean over images of H(mean_m p_m) - mean_m H(p_m), in nats."""
    ps = [torch.tensor(table.to_numpy()).double() for table in tables]

    def entropy(p):
        return torch.special.entr(p).sum(1)

    own = torch.stack([entropy(p) for p in ps]).mean(0)
    return (entropy(torch.stack(ps).mean(0)) - own).mean().item()


def test_predictions_that_are_no_numbers_are_refused():
    view = view_of()
    list(view.network.parameters())[-1].data[1] = torch.nan
    with pytest.raises(NotFinite, match="logits are not finite for 12 of 12 images"):
        Predictions().measure(view)
