"""Learning curves: what each row is called, and that it is what it is called."""

import pytest
import torch
from torch import nn
from toy_problems import random_images

from rofit.attacks.pgd import PGD
from rofit.evaluation.accuracy import measure_accuracy
from rofit.settings.threat import ThreatModel
from rofit.training import checkpoint
from rofit.training.batches import DeviceImages
from rofit.training.curves import LearningCurves

CPU = torch.device("cpu")
THREAT = ThreatModel("linf", 0.2)
TRAINING, EVALUATION = PGD(THREAT, 2, 0.1), PGD(THREAT, 3, 0.1)
SIZES = {"train": 30, "val": 8, "test": 12}
IMAGES = {
    name: DeviceImages(random_images(n, seed=n), CPU) for name, n in SIZES.items()
}


def _curves(trained_with=TRAINING, *, seed=0, **held_out):
    splits = {"val": IMAGES["val"], "test": IMAGES["test"]} | held_out
    return LearningCurves(
        IMAGES["train"],
        splits,
        trained_with=trained_with,
        evaluated_with=EVALUATION,
        seed=seed,
    )


def _net():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 10))
    net(IMAGES["train"].unit())
    return net


def _logits(n, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return torch.randn((n, 10), generator=stream), torch.arange(n) % 10


def _rows(curves):
    """Return the rows of an epoch of one step by split, attack and metric."""
    curves.record_step(*_logits(4))
    rows = curves.rows(_net())
    named = {(r["split"], r["attack"], r["metric"]): r for r in rows}
    assert len(named) == len(rows), "two rows of one name"
    return named


def _measured(named):
    """Return split and attack -> (images, how measured), the same for both metrics."""
    measured = {}
    for (split, attack, metric), row in named.items():
        about = (row["n"], row["measured"])
        assert measured.setdefault((split, attack), about) == about
        assert (split, attack, "accuracy") in named
        assert (split, attack, "loss") in named
        assert metric in ("accuracy", "loss")
    return measured


HELD_OUT = {
    ("val", "none"): (8, "epoch_end"),
    ("test", "none"): (12, "epoch_end"),
    ("val", "pgd3"): (8, "epoch_end"),
    ("test", "pgd3"): (12, "epoch_end"),
}


def test_rows_of_adversarial_training_are_named_by_what_the_steps_saw():
    expected = {("train", "pgd2"): (4, "step"), ("train", "none"): (30, "epoch_end")}
    assert _measured(_rows(_curves())) == HELD_OUT | expected


def test_rows_of_standard_training_measure_robustness_on_as_many_as_test():
    expected = {("train", "none"): (4, "step"), ("train", "pgd3"): (12, "epoch_end")}
    assert _measured(_rows(_curves(None))) == HELD_OUT | expected


@pytest.mark.parametrize("trained_with", [TRAINING, None])
def test_rows_after_the_epoch_are_the_evaluation_of_their_images(trained_with):
    curves = _curves(trained_with)
    named, net = _rows(curves), _net()
    for (split, attack, metric), row in named.items():
        if row["measured"] == "step":
            continue
        images = IMAGES[split].first(row["n"])
        options = {}
        if attack == "pgd3":
            options = {"attack": EVALUATION, "start": curves.starts[split]}
        verdict = measure_accuracy(net, images.unit(), images.y, **options)
        assert row["value"] == getattr(verdict, metric), (split, attack, metric)


def test_sums_on_the_fly_weigh_a_short_last_batch_by_its_images():
    curves = _curves()
    batches = [_logits(7, seed=1), _logits(7, seed=2), _logits(2, seed=3)]
    for logits, y in batches:
        curves.record_step(logits, y)
    named = {
        (r["attack"], r["metric"]): r["value"]
        for r in curves.rows(_net())
        if r["measured"] == "step"
    }
    logits, y = (torch.cat(tensors) for tensors in zip(*batches, strict=True))
    p = logits.double().softmax(1)
    correct = (p.argmax(1) == y).double().mean().item()
    loss = -p[torch.arange(16), y].log().mean().item()
    assert named == {
        ("pgd2", "accuracy"): pytest.approx(correct, rel=1e-12),
        ("pgd2", "loss"): pytest.approx(loss, rel=1e-6),  # of float32 logits
    }


def test_every_epoch_begins_its_sums_anew():
    curves = _curves()
    _rows(curves)
    assert _measured(_rows(curves))[("train", "pgd2")] == (4, "step")


def test_starts_of_the_evaluation_are_the_same_in_every_epoch_and_run():
    curves = _curves()
    one, again, other = _rows(curves), _rows(curves), _rows(_curves())
    assert one == again == other
    starts, seeded = curves.starts, _curves(seed=1).starts
    assert not torch.equal(starts["val"], seeded["val"])
    assert not torch.equal(starts["val"], starts["test"][:8])
    assert starts["val"].abs().max() <= 0.2


def test_evaluation_draws_nothing_from_the_global_stream():
    net, before = _net(), torch.get_rng_state()
    curves = _curves()
    curves.record_step(*_logits(4))
    curves.rows(net)
    assert torch.equal(torch.get_rng_state(), before)


def _row(split, attack, metric, value):
    return {"split": split, "attack": attack, "metric": metric, "value": value}


ROWS = [
    _row("val", "none", "accuracy", 0.9),
    _row("val", "pgd3", "loss", 0.8),
    _row("test", "pgd3", "accuracy", 0.3),
    _row("train", "pgd3", "accuracy", 0.7),
    {"split": "train", "metric": "learning_rate", "value": 0.1},
]


def test_score_is_the_robust_accuracy_on_the_validation_images():
    rows = [*ROWS, _row("val", "pgd3", "accuracy", 0.4)]
    assert _curves().score(rows) == 0.4


def test_score_is_taken_on_test_only_without_validation_images():
    curves = _curves(val=IMAGES["val"].first(0))
    assert curves.score(ROWS) == 0.3
    assert {split for split, *_ in _rows(curves)} == {"train", "test"}


def test_unfinished_epoch_survives_a_checkpoint(tmp_path):
    whole, first, second = _curves(), _curves(), _curves()
    for curves, steps in ((whole, (1, 2)), (first, (1,))):
        for seed in steps:
            curves.record_step(*_logits(6, seed))
    checkpoint.save(first.state_dict(), tmp_path / "curves.pt")
    second.load_state_dict(checkpoint.load(tmp_path / "curves.pt", CPU))
    second.record_step(*_logits(6, 2))
    assert second.rows(_net()) == whole.rows(_net())
