"""Methods on mixed images: three steps against formulas, or a refusal in one sentence.

The slow twin sums two losses, each with one class an image, as the code of Rice et al.
does; the product has one loss with one mixed label.
"""

from dataclasses import replace

import pytest
import slow_losses as loss
import torch
from command_line import rofit
from slow_methods import SLOW
from slow_run import SlowRun
from toy_problems import random_dataset
from training_helpers import CPU, doubled

from rofit.errors import UserError
from rofit.methods import METHODS
from rofit.methods.resolve import resolve
from rofit.running.runner import build_training
from rofit.settings.choices import MIXED
from rofit.settings.spec import RunSpec
from rofit.training.batches import Batch
from rofit.training.loop import make_step

MIXING = (
    "awp fast_at label_smoothing n_fgsm pgd_at sce standard swa trades trades_awp "
    "weight_ema"
).split()
EPOCHS, CLOSE = 10, 1e-10
# The floor of the label is clamped in float32, so its logarithm is known to 1e-7.
LOOSER = {"sce": 1e-6}
CASES = [(name, augment, {}) for name in MIXING for augment in MIXED]
CASES += [("label_smoothing", "mixup", {"attack_labels": "assigned"})]


class SlowMixedRun(SlowRun):
    """A slow twin whose images have a partner each, and whose labels have two parts."""

    def __init__(self, how, *args, partner, share):
        """Climb on the sum of two losses where the twin's attack climbs on one."""
        if how.inner is loss.given:
            how = replace(how, inner=self._given)
        super().__init__(how, *args)
        self.partner, self.share = partner, share.double()

    def step(self, number, x, y, index, start):
        self.index = index
        return super().step(number, x, y, index, start)

    def _given(self, step, i):
        place = self.index[i]
        own, other = step.y[i], int(self.y[self.partner[place]])
        share, p = self.share[place].item(), loss.softmax(step.adv[i])
        first, second = (loss.ce(loss.hard(y), p) for y in (own, other))
        return share * first + (1 - share) * second

    def _labels(self, y, index):
        there = self.partner[index]
        pairs = zip(
            super()._labels(y, index),
            super()._labels(self.y[there], there),
            self.share[index].tolist(),
            strict=True,
        )
        return [
            [s * a + (1 - s) * b for a, b in zip(one, other, strict=True)]
            for one, other, s in pairs
        ]


def _spec(smoke_spec, name, augment, settings):
    return smoke_spec(
        **dict(method=name, method_params=settings, augment=augment, epochs=EPOCHS),
        **dict(epsilon=0.1, step_size=0.05, lr=0.05, batch_size=6, train_size=18),
        **dict(val_size=16, test_size=0, crop_pad=0, flip=False, seed=4),
    )


@pytest.fixture
def pair(smoke_spec):
    """A function to the product's training and its slow twin, in the last epoch."""

    def make(name, augment, more):
        settings = SLOW[name].s | more
        spec = _spec(smoke_spec, name, augment, settings)
        run, _ = build_training(spec, data=random_dataset(), device=CPU)
        doubled(run)
        run.epoch = EPOCHS - 1
        run.method.begin_epoch(run.epoch, EPOCHS)
        run.model.train()
        drawn = run.train.pairs(spec, run.epoch)
        pairs = {key: drawn[key] for key in ("partner", "share")}
        return run, SlowMixedRun(SLOW[name], settings, run, [], **pairs)

    return make


def _near(actual, expected, tolerance, what):
    apart = torch.linalg.vector_norm((actual - expected).double())
    assert apart <= tolerance * torch.linalg.vector_norm(expected.double()), what


@pytest.mark.parametrize(("name", "augment", "more"), CASES, ids=str)
def test_three_steps_on_mixed_images_are_those_of_two_losses(pair, name, augment, more):
    """Losses, weights, statistics, and the curves' sums: those of the images' own y."""
    run, slow = pair(name, augment, more)
    tolerance = LOOSER.get(name, CLOSE)
    for batch, start in run.batches(run.plan()):
        run.step = batch.step
        start = 0.008 * start.double() if slow.how.near else start.double()
        wide = Batch(batch.step, batch.index, batch.x.double(), batch.y)
        total = sum(term.item() for term in make_step(run, wide, start).values())
        expected = slow.step(batch.step, wide.x, wide.y, wide.index, start)
        assert total == pytest.approx(expected, rel=tolerance), batch.step
    for (key, value), twin in zip(
        run.model.state_dict().items(), slow.net.state_dict().values(), strict=True
    ):
        _near(value, twin, tolerance, key)
    if not slow.how.moves:  # else the twin's losses are also those of the ascent
        _, summed, n = run.curves.sums.tolist()
        assert n == len(slow.losses) == 18
        assert summed == pytest.approx(sum(slow.losses), rel=tolerance)


@pytest.mark.parametrize("augment", MIXED)
def test_images_and_labels_have_the_same_partners_and_shares(smoke_spec, augment):
    """Epoch by epoch: labels are drawn in one place, images in another."""
    spec = _spec(smoke_spec, "pgd_at", augment, {})
    run, _ = build_training(spec, data=random_dataset(), device=CPU)
    u, labels = run.train.unit(), run.method.labels
    before = labels.share.clone()
    for run.epoch in (0, 1):
        run.method.begin_epoch(run.epoch, EPOCHS)
        assert not torch.equal(labels.share, before)
        before = labels.share.clone()
        for batch, _ in run.batches(run.plan()):
            share = labels.share[batch.index][:, None, None, None]
            one, other = u[batch.index], u[labels.partner[batch.index]]
            if augment == "mixup":
                assert torch.equal(batch.x, share * one + (1 - share) * other)
            else:
                assert ((batch.x == one) | (batch.x == other)).all()
                differ = (one != other).double().mean(dim=(1, 2, 3))
                pasted = (batch.x != one).double().mean(dim=(1, 2, 3))
                # Noise of 256 levels: two images agree in few of their 64 pixels.
                assert ((1 - share.flatten() - pasted).abs() <= 1 - differ).all()


@pytest.mark.parametrize("augment", MIXED)
def test_diagnostics_look_at_the_labels_of_single_images(smoke_spec, augment):
    spec = _spec(smoke_spec, "pgd_at", augment, {})
    run, _ = build_training(spec, data=random_dataset(), device=CPU)
    run.method.begin_epoch(0, EPOCHS)
    index = torch.arange(18)
    hard = torch.nn.functional.one_hot(run.train.y, 10).float()
    assert torch.equal(run.view(run).labels(index), hard)
    assert not torch.equal(run.method.labels.current(index, run.train.y), hard)


@pytest.mark.parametrize("augment", MIXED)
@pytest.mark.parametrize("name", METHODS)
def test_method_is_trained_on_mixed_images_or_refused(smoke_spec, name, augment):
    spec = _spec(smoke_spec, name, augment, {})
    if name in MIXING:
        assert resolve(spec) == spec
        return
    sentence = (
        f"augment={augment} mixes images and their labels, and {name} needs images of "
        f"one class; choose another augment, or of {', '.join(MIXING)}"
    )
    with pytest.raises(UserError, match=f"^{sentence}$"):
        resolve(spec)
    with pytest.raises(UserError, match=sentence):
        build_training(spec, data=random_dataset(), device=CPU)


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ({"labels_from": "sglr"}, "sglr"),
        ({"labels_from": "adr"}, "adr"),
        ({"weights_from": ("mlcat_wp", "swa")}, "mlcat_wp"),
    ],
    ids=str,
)
def test_part_that_needs_single_images_is_refused_by_its_name(parts, name):
    with pytest.raises(UserError, match=f"and {name} needs images of one class"):
        resolve(RunSpec(augment="mixup", **parts))
    allowed = {"labels_from": "label_smoothing", "weights_from": ("awp", "swa")}
    resolve(RunSpec(augment="mixup", **allowed))


def test_command_refuses_it_before_the_run_and_takes_it_back(tmp_path):
    words = "train --method sgls --scale smoke --quiet --set augment=mixup".split()
    answer = rofit(tmp_path, *words)
    assert answer.code == 2 and answer.err.count("\n") == 1
    assert "sgls needs images of one class" in answer.err
    assert list(tmp_path.iterdir()) == []
    again = rofit(tmp_path, *words, "--dry-run", "--set", "augment=cutout")
    assert again.code == 0, again.err
