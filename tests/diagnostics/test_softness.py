"""Softness of labels against a loop over images, closed forms, and the methods' own."""

import math

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from made_up_views import assert_watching_changes_nothing, view_of
from training_helpers import last_state

from rofit.diagnostics.softness import Softness, softness
from rofit.labels.fixed import Smoothed
from rofit.labels.self_guided import SelfGuided
from rofit.store.runs import read_rows


def _classes(n, n_classes, seed=0):
    stream = torch.Generator().manual_seed(seed)
    y, drawn = torch.randint(n_classes, (2, n), generator=stream)
    redrawn = torch.rand(n, generator=stream) < 0.4
    return torch.where(redrawn, drawn, y), y, redrawn


def _measured(soft, y, true, redrawn):
    """Return metric -> (value, n) of a table of labels (N, K)."""
    view = view_of(y={"train": y}, true=true, redrawn=redrawn, labels=lambda i: soft[i])
    rows = Softness().measure(view).rows
    for row in rows:
        assert (row["split"], row["attack"]) == ("train", "none")
        assert ("portion" in row) == (row["metric"] == "label_correction")
    return {row["metric"]: (row["value"], row["n"]) for row in rows}


def _slow(soft, y, true, redrawn):
    """Return the same, an image at a time; no two classes are equally large."""
    values = {metric: [] for metric in Softness.columns}
    for i, q in enumerate(soft.tolist()):
        best = q.index(max(q))
        values["label_entropy"].append(-sum(m * math.log(m) for m in q if m > 0))
        values["label_mass_on_given"].append(q[y[i]])
        values["label_drift"].append(best != y[i])
        if redrawn[i]:
            values["label_correction"].append(best == true[i])
    return {k: (math.fsum(v) / len(v), len(v)) for k, v in values.items()}


@pytest.mark.parametrize("zeros", [0, 2])
@pytest.mark.parametrize("n_classes", [3, 10])
@pytest.mark.parametrize("chunk", [1, 64, 10_000])
def test_means_equal_a_loop_over_images(n_classes, zeros, chunk, monkeypatch):
    monkeypatch.setattr(Softness, "chunk", chunk)
    y, true, redrawn = _classes(203, n_classes)
    soft = torch.rand(203, n_classes, generator=torch.Generator().manual_seed(1))
    soft[:, :zeros] = 0
    soft /= soft.sum(1, keepdim=True)
    measured, slow = (f(soft, y, true, redrawn) for f in (_measured, _slow))
    assert measured.keys() == slow.keys() == Softness.columns.keys()
    for metric, (value, n) in slow.items():
        assert measured[metric] == (pytest.approx(value, rel=1e-13), n), metric


@pytest.mark.parametrize("rho", [0.0, 0.1, 0.5, 1.0])
def test_smoothed_labels_have_a_closed_form(rho):
    """Entropy of (1 - rho + rho / K, rho / K, ...); they drift for no rho at all."""
    k = 10
    y, true, redrawn = _classes(60, k)
    rule = Smoothed(k, rho)
    measured = _measured(rule.current(torch.arange(60), y), y, true, redrawn)
    q = [1 - rho + rho / k] + (k - 1) * [rho / k]
    entropy = -sum(m * math.log(m) for m in q if m)
    same = (y == true)[redrawn].double().mean().item()
    assert measured == {
        "label_entropy": (pytest.approx(entropy, abs=1e-6), 60),  # labels are float32
        "label_mass_on_given": (pytest.approx(q[0], rel=1e-6), 60),
        "label_drift": (0.0, 60),
        "label_correction": (pytest.approx(same, rel=1e-13), int(redrawn.sum())),
    }


def test_label_corrects_itself_after_the_table_has_left_it():
    """Sure of the true class m times, the table keeps 0.9^m of the given one.

    0.9^6 = 0.53 is above a half and 0.9^7 = 0.48 below: all drift at once.
    """
    y, true, redrawn = _classes(50, 4)
    wrong = (y != true).double().mean().item()
    rule = SelfGuided(y, 4, r=1.0, momentum=0.9, clean_share=0.0, start=0.0)
    rule.begin_epoch(0, 10)
    index, sure = torch.arange(50), 1000 * torch.eye(4)[true]
    for m in range(1, 9):
        soft = rule.refine(index, y, sure, None)
        means = {k: v for k, (v, _) in _measured(soft, y, true, redrawn).items()}
        kept = torch.where(y == true, 1.0, 0.9**m).double().mean().item()
        assert means["label_mass_on_given"] == pytest.approx(kept, rel=1e-6)
        assert means["label_drift"] == pytest.approx(wrong if m > 6 else 0, abs=1e-13)
        entropy = -(0.9**m * math.log(0.9**m) + (1 - 0.9**m) * math.log(1 - 0.9**m))
        assert means["label_entropy"] == pytest.approx(wrong * entropy, rel=1e-5)
        corrected = (y == true)[redrawn].double().mean().item() if m <= 6 else 1
        assert means["label_correction"] == pytest.approx(corrected, rel=1e-13)


def test_label_with_several_largest_classes_has_not_drifted():
    soft = torch.tensor([[0.4, 0.4, 0.2], [0.5, 0.0, 0.5], [0.1, 0.45, 0.45]])
    values = softness(soft, torch.tensor([1, 2, 0]), torch.tensor([0, 0, 1]))
    assert values["label_drift"].tolist() == [0, 0, 1]
    assert values["label_correction"].tolist() == [0, 0, 1]


def test_without_noise_there_is_no_correction():
    y, _, redrawn = _classes(30, 5)
    soft = torch.full((30, 5), 0.2)
    measured = _measured(soft, y, y, torch.zeros_like(redrawn))
    assert measured.keys() == Softness.columns.keys() - {"label_correction"}


@pytest.mark.parametrize("method", ["pgd_at", "sglr"])
def test_watching_softness_changes_no_weight(method, smoke_spec, tmp_path, monkeypatch):
    """And its rows are those of the labels in the checkpoint and the run's samples."""
    folder = assert_watching_changes_nothing(
        "softness", Softness, smoke_spec(method=method), tmp_path, monkeypatch
    )
    kept = pd.read_parquet(folder.samples / "labels.parquet")
    given, true, redrawn = (
        torch.tensor(kept[name].to_numpy()) for name in ("given", "true", "redrawn")
    )
    soft = F.one_hot(given, 10).double()
    if method == "sglr":
        r = dict(folder.spec.method_params)["r"]
        average = last_state(folder)["labels"]["average"].double()
        soft = r * average + (1 - r) * soft
    logged = {
        row["metric"]: (row["value"], row["n"])
        for row in read_rows(folder.path)
        if row["epoch"] == 2 and row["metric"] in Softness.columns
    }
    for metric, (value, n) in _slow(soft, given, true, redrawn).items():
        assert logged[metric] == (pytest.approx(value, rel=1e-6), n), metric
    assert (logged["label_entropy"][0] > 0) == (method == "sglr")
