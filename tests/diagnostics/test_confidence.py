"""Confidence against a loop over images in Python's floats."""

import math

import pytest
import torch
from made_up_views import (
    ATTACK,
    assert_watching_changes_nothing,
    random_logits,
    softmax,
    view_of,
)

from rofit.diagnostics.confidence import Confidence, confidences
from rofit.store.runs import read_rows

METRICS = tuple(Confidence.columns)


def _slow(logits, y):
    """Return metric -> (mean, n), one image at a time; nothing for an empty mean."""
    values = {metric: [] for metric in METRICS}
    for row, label in zip(logits.tolist(), y.tolist(), strict=True):
        p = softmax(row)
        correct = row.index(max(row)) == label
        values["confidence_correct" if correct else "confidence_incorrect"].append(
            max(p)
        )
        values["probability_of_label"].append(p[label])
    return {k: (math.fsum(v) / len(v), len(v)) for k, v in values.items() if v}


def _means(rows, split, attack):
    about = {"split": split, "attack": attack}
    chosen = [row for row in rows if about.items() <= row.items()]
    assert len({row["metric"] for row in chosen}) == len(chosen)
    return {row["metric"]: (row["value"], row["n"]) for row in chosen}


def _logits_and_classes(n, n_classes, scale):
    """Return logits and classes of val and test, clean and attacked, all different."""
    y, logits = {}, {}
    for number, split in enumerate(("val", "test")):
        for kind, attack in enumerate(("none", ATTACK.name)):
            drawn = random_logits(n, n_classes, scale=scale, seed=4 * number + kind)
            logits[split, attack], y[split] = drawn
    return logits, y


@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("n_classes", [2, 10])
def test_means_equal_a_loop_over_images(n_classes, scale):
    all_logits, y = _logits_and_classes(151, n_classes, scale)
    rows = Confidence().measure(view_of(all_logits, y=y)).rows
    for (split, attack), logits in all_logits.items():
        slow = _slow(logits, y[split])
        means = _means(rows, split, attack)
        assert means.keys() == slow.keys() == set(METRICS)
        for metric, (value, n) in slow.items():
            assert means[metric][0] == pytest.approx(value, rel=1e-13)
            assert means[metric][1] == n
    assert len(rows) == 3 * 4


def test_hand_values():
    p = torch.tensor([[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.25, 0.25, 0.5]])
    logits, y = p.double().log() + 3.0, torch.tensor([0, 2, 2])
    means = {k: v.mean().item() for k, v in confidences(logits, y).items()}
    assert means == pytest.approx(
        {
            "confidence_correct": (0.7 + 0.5) / 2,
            "confidence_incorrect": 0.6,
            "probability_of_label": (0.7 + 0.1 + 0.5) / 3,
        },
        rel=1e-7,  # p is float32
    )


@pytest.mark.parametrize(
    ("shift", "missing"), [(0, "confidence_incorrect"), (1, "confidence_correct")]
)
def test_mean_over_no_image_gives_no_row(shift, missing):
    logits, _ = random_logits(9, 3)
    y = {"test": (logits.argmax(1) + shift) % 3}
    all_logits = {("test", "none"): logits, ("test", ATTACK.name): logits}
    rows = Confidence().measure(view_of(all_logits, y=y)).rows
    assert {row["metric"] for row in rows} == set(METRICS) - {missing}
    assert all(math.isfinite(row["value"]) for row in rows)


def test_count_of_correct_ones_gives_the_accuracy_of_the_learning_curves():
    logits, y = random_logits(500, 10, seed=3)
    correct = len(confidences(logits, y)["confidence_correct"])
    assert correct == (logits.argmax(1) == y).sum()


def test_watching_confidence_changes_no_weight(smoke_spec, tmp_path, monkeypatch):
    folder = assert_watching_changes_nothing(
        "confidence", Confidence, smoke_spec(method="sgls"), tmp_path, monkeypatch
    )
    rows = list(read_rows(folder.path))
    for epoch in (1, 2):
        for split in ("val", "test"):
            for attack in ("none", "pgd2"):
                here = [row for row in rows if row["epoch"] == epoch]
                means = _means(here, split, attack)
                correct = means.get("confidence_correct", (0, 0))[1]
                assert means["accuracy"] == (correct / 64, 64)
