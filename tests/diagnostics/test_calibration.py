"""Calibration against torchmetrics, SciPy, a slow loop, and values made by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made_up_views import (
    ATTACK,
    assert_watching_changes_nothing,
    random_logits,
    softmax,
    view_of,
)
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from toy_problems import quick

from rofit.diagnostics.calibration import (
    BINS,
    HOTTEST,
    Calibration,
    Reliability,
    expected_calibration_error,
    optimal_temperature,
    reliability,
)
from rofit.store.runs import read_rows


def _nll(logits, y, t):
    """Return the mean negative log-likelihood at temperature t, with SciPy."""
    p = log_softmax(logits.double().numpy() / t, axis=1)
    return -p[np.arange(len(y)), y.numpy()].mean()


def _slow_bins(logits, y, bins):
    """Return images, mean confidence and accuracy of each bin, image by image."""
    members = [[] for _ in range(bins)]
    for row, label in zip(logits.tolist(), y.tolist(), strict=True):
        p = softmax(row)
        (home,) = (b for b in range(bins) if b / bins < max(p) <= (b + 1) / bins)
        members[home].append((max(p), row.index(max(row)) == label))
    return [
        tuple(math.fsum(column) / max(len(one), 1) for column in zip(*one, strict=True))
        if one
        else (0, 0)
        for one in members
    ], [len(one) for one in members]


@pytest.mark.parametrize("bins", [1, 2, 15])
@pytest.mark.parametrize("n_classes", [2, 10, 100])
def test_bins_equal_a_loop_over_images(n_classes, bins):
    logits, y = random_logits(203, n_classes)
    actual = reliability(logits, y, bins)
    means, images = _slow_bins(logits, y, bins)
    assert actual.images.tolist() == images
    for b, (confidence, accuracy) in enumerate(means):
        assert actual.confidence[b].item() == pytest.approx(confidence, rel=1e-12)
        assert actual.accuracy[b].item() == pytest.approx(accuracy, rel=1e-15)


@pytest.mark.parametrize("scale", [0.2, 1.0, 5.0])
@pytest.mark.parametrize("n_classes", [2, 3, 10, 100])
def test_ece_equals_that_of_torchmetrics(n_classes, scale):
    """It counts in float32; its bins are open on the other side, which is rare."""
    # here, because the import takes seconds
    torchmetrics = pytest.importorskip("torchmetrics.functional.classification")
    logits, y = random_logits(1000, n_classes, scale=scale, seed=n_classes)
    oracle = torchmetrics.multiclass_calibration_error(
        logits.double().softmax(1), y, num_classes=n_classes, n_bins=BINS, norm="l1"
    )
    ece = expected_calibration_error(reliability(logits, y))
    assert ece.item() == pytest.approx(oracle.item(), abs=1e-6)


def test_ece_of_a_hand_made_table():
    bins = Reliability(
        torch.tensor([0.0, 10, 30, 60]),
        torch.tensor([0.0, 0.4, 0.7, 0.95]),
        torch.tensor([0.0, 0.5, 0.7, 0.75]),
    )
    # 0.1 * 0.1 + 0.3 * 0 + 0.6 * 0.2
    assert expected_calibration_error(bins).item() == pytest.approx(0.13, rel=1e-6)


def test_errors_of_one_bin_may_cancel_and_of_two_do_not():
    """Confidence 0.9 and wrong, 0.1 above a half and right, in two bins of two."""
    p = torch.tensor([[0.9, 0.1], [0.6, 0.4]], dtype=torch.float64)
    y = torch.tensor([1, 0])
    one = expected_calibration_error(reliability(p.log(), y, 1))
    assert one.item() == pytest.approx(abs((0.9 + 0.6) / 2 - 1 / 2), rel=1e-12)
    ten = expected_calibration_error(reliability(p.log(), y, 10))
    assert ten.item() == pytest.approx((0.9 + 0.4) / 2, rel=1e-12)


@pytest.mark.parametrize(("n_classes", "home"), [(2, 1), (4, 0)])
def test_confidence_on_an_edge_belongs_to_the_bin_below(n_classes, home):
    """Equal logits: confidence 1/2 or 1/4, exact in floats and edges of four bins."""
    bins = reliability(torch.zeros(1, n_classes), torch.tensor([0]), 4)
    assert bins.images.nonzero().flatten().tolist() == [home]


def test_certainty_falls_into_the_last_of_fifteen_bins():
    logits = torch.tensor([[1000.0, 0.0], [0.0, 1000.0]])
    bins = reliability(logits, torch.tensor([0, 0]))
    assert bins.images.tolist() == [0] * 14 + [2]
    assert bins.confidence[14] == 1 and bins.accuracy[14] == 0.5
    assert expected_calibration_error(bins) == 0.5


@given(st.integers(0, 10**6), st.integers(2, 12), st.floats(0.01, 50))
@quick
def test_ece_lies_between_the_mean_gap_and_one(seed, n_classes, scale):
    logits, y = random_logits(40, n_classes, scale=scale, seed=seed)
    bins = reliability(logits, y)
    ece = expected_calibration_error(bins).item()
    gap = expected_calibration_error(reliability(logits, y, 1)).item()
    assert gap - 1e-12 <= ece <= 1
    assert bins.images.sum() == 40


@pytest.mark.parametrize("scale", [0.3, 1.0, 10.0])
@pytest.mark.parametrize("n_classes", [2, 10, 100])
def test_temperature_and_its_nll_equal_those_of_scipy(n_classes, scale):
    """Classes are drawn from the predictions at temperature 3, so that T is near 3.

    SciPy's own tolerance in log T is about 1e-8: the loss is flat at its lowest.
    """
    logits, _ = random_logits(1000, n_classes, scale=3 * scale, seed=n_classes)
    stream = torch.Generator().manual_seed(1)
    y = (logits / 3).softmax(1).multinomial(1, generator=stream).squeeze(1)
    temperature = optimal_temperature(logits, y).item()
    oracle = minimize_scalar(
        lambda log_t: _nll(logits, y, math.exp(log_t)),
        bounds=(-math.log(HOTTEST), math.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-10},
    )
    assert math.log(temperature) == pytest.approx(oracle.x, abs=2e-7)
    assert _nll(logits, y, temperature) <= oracle.fun + 1e-14
    assert _nll(logits, y, temperature) == pytest.approx(oracle.fun, rel=1e-13)


@pytest.mark.parametrize(("right", "margin"), [(3, 5.0), (9, 0.5), (6, 40.0)])
def test_temperature_of_two_classes_has_a_closed_form(right, margin):
    """A margin m, k of 10 answers right: sigmoid(m / T) = k / 10."""
    logits = torch.tensor([[margin, 0.0]]).repeat(10, 1)
    y = (torch.arange(10) >= right).long()
    odds = math.log(right / (10 - right))
    temperature = optimal_temperature(logits, y).item()
    expected = margin / odds if odds > 0 else HOTTEST
    assert temperature == pytest.approx(expected, rel=1e-12)


def test_temperature_scales_with_the_logits_and_ignores_a_shift_of_an_image():
    logits, _ = random_logits(300, 5)
    stream = torch.Generator().manual_seed(5)
    y = (logits / 2).softmax(1).multinomial(1, generator=stream).squeeze(1)
    once = optimal_temperature(logits, y).item()
    shifted = 4 * logits.double() + torch.randn(300, 1, generator=stream)
    assert optimal_temperature(shifted, y).item() == pytest.approx(4 * once, rel=1e-11)


def test_temperature_of_flawless_answers_is_the_lower_end_of_the_range():
    logits, _ = random_logits(50, 4)
    temperature = optimal_temperature(logits, logits.argmax(1))
    assert temperature.item() == pytest.approx(1 / HOTTEST, rel=1e-12)


def test_dividing_by_the_temperature_moves_the_optimum_to_one():
    logits, y = random_logits(400, 3, scale=1.0)
    y[:250] = logits.argmax(1)[:250]
    t = optimal_temperature(logits, y)
    again = optimal_temperature(logits.double() / t, y)
    assert again.item() == pytest.approx(1, abs=1e-11)


def _rows(epochs=1):
    all_logits, y = {}, {}
    for number, attack in enumerate(("none", ATTACK.name)):
        all_logits["test", attack], y["test"] = random_logits(120, 10, seed=7 + number)
    view = view_of(all_logits, y=y, epochs=epochs)
    return Calibration().measure(view).rows, all_logits, y["test"]


def test_rows_hold_what_the_functions_say_of_each_attack():
    rows, all_logits, y = _rows()
    assert all(row["split"] == "test" and row["n"] == 120 for row in rows)
    for (_, attack), logits in all_logits.items():
        here = [row for row in rows if row["attack"] == attack]
        values = {row["metric"]: row["value"] for row in here if "bin" not in row}
        t = optimal_temperature(logits, y).item()
        assert values == {
            "ece": expected_calibration_error(reliability(logits, y)).item(),
            "nll": pytest.approx(_nll(logits, y, 1), rel=1e-13),
            "optimal_temperature": t,
            "nll_at_optimal_temperature": pytest.approx(_nll(logits, y, t), rel=1e-13),
        }
        assert values["nll_at_optimal_temperature"] <= values["nll"]
    assert {row["metric"] for row in rows} == Calibration.columns.keys()


def test_bins_are_told_four_times_a_run_and_the_rest_always():
    assert not any("bin" in row for row in _rows(epochs=9)[0])


def test_rows_of_bins_add_up_to_the_ece_and_empty_bins_have_a_count_only():
    rows, all_logits, _ = _rows()
    for _, attack in all_logits:
        bins = [{} for _ in range(BINS)]
        for row in rows:
            if row["attack"] == attack and "bin" in row:
                bins[row["bin"]][row["metric"]] = row["value"]
        empty = {"reliability_count": 0.0}
        # Of ten classes no confidence is below 1/10, so the first bin is empty.
        assert bins[0] == empty
        full = [metrics for metrics in bins if metrics != empty]
        assert len(full) > 5 and all(len(metrics) == 3 for metrics in full)
        ece = sum(
            metrics["reliability_count"]
            / 120
            * abs(metrics["reliability_accuracy"] - metrics["reliability_confidence"])
            for metrics in full
        )
        (reported,) = (
            row["value"]
            for row in rows
            if row["metric"] == "ece" and row["attack"] == attack
        )
        assert reported == pytest.approx(ece, rel=1e-12)


def test_watching_calibration_changes_no_weight(smoke_spec, tmp_path, monkeypatch):
    folder = assert_watching_changes_nothing(
        "calibration", Calibration, smoke_spec(method="sgls"), tmp_path, monkeypatch
    )
    rows = list(read_rows(folder.path))
    for attack in ("none", "pgd2"):
        about = {"split": "test", "attack": attack}
        here = [row for row in rows if about.items() <= row.items()]
        loss, nll = (
            [row["value"] for row in here if row["metric"] == metric]
            for metric in ("loss", "nll")
        )
        assert len(nll) == 2 and nll == pytest.approx(loss, rel=1e-5)  # float32 sum
