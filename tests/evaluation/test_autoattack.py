"""AutoAttack's stages against the library's classes on single images and batches."""

from functools import cache

import pytest
import torch
from evaluated_digits import (
    Doubled,
    Sizes,
    digit_images,
    left,
    make_case,
    pick,
    trained,
    verdicts,
)
from torch import nn

from rofit.evaluation.stages import make_stages
from rofit.seeding import stream_seed
from rofit.settings.threat import NORMS

pyautoattack = pytest.importorskip("pyautoattack")
square = pytest.importorskip("pyautoattack.square")

LIBRARY = {"linf": "Linf", "l2": "L2"}
# With four classes an attack has three targets: a loop over images takes seconds.
FEW = 4
WIDE = {"linf": 0.11, "l2": 0.58}  # of these images all attacks leave 20 to 80 %
GRADIENTS = ("apgd-ce", "apgd-t", "fab-t")


class RecordingNet(nn.Module):
    """A network that keeps the first adversarial example that an attack comes across.

    APGD judges by the passes that it takes gradients of, FAB by the others.
    """

    def __init__(self, net, x, y, case):
        super().__init__()
        self.net, self.x, self.y, self.case = net, x, y, case
        self.first, self.rows = x, 0

    def forward(self, x_adv):
        logits = self.net(x_adv)
        self.rows += len(x_adv)
        judged = torch.is_grad_enabled() == (self.case.kind != "fab-t")
        if judged and len(x_adv) == 1 and self.first is self.x:
            near = _length(x_adv - self.x, self.case.norm) <= _reach(self.case)
            if near and logits.argmax(1) != self.y:
                self.first = x_adv.detach().clone()
        return logits


def _length(delta, norm):
    flat = delta.flatten(1)
    return flat.abs().amax(1) if norm == "linf" else flat.norm(dim=1)


def _reach(case):
    return case.epsilon * (1 + 1e-5)


def _right(net, images):
    return pick(
        images, (net(images.x).argmax(1) == images.y).nonzero().flatten().tolist()
    )


def _kit(net, case):
    return pyautoattack.AutoAttack(
        net, norm=LIBRARY[case.norm], eps=case.epsilon, version="standard"
    )


def _alone(net, x, y, i, case, target):
    """Return where the library's attack on one image, number *i*, ends."""
    kit, names = _kit(net, case), (case.seed, "evaluation", case.kind)
    with torch.random.fork_rng(devices=[]):
        if case.kind == "apgd-ce":
            kit.apgd.loss, kit.apgd.seed = "ce", stream_seed(*names, i)
            return kit.apgd.perturb(x, y)
        if case.kind == "apgd-t":
            attack = kit.apgd_targeted
            attack.init_hyperparam(x)
            attack.y_target = net(x).sort(dim=1)[1][:, -target]
            torch.manual_seed(stream_seed(*names, target, i))
            return attack.attack_single_run(x, y)[3]
        kit.fab.target_class = target
        x_adv = kit.fab.attack_single_run(x, y, is_targeted=True)
        near = _length(x_adv - x, case.norm) <= case.epsilon
        return x_adv if near else x


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(
    ("kind", "few"),
    [*((kind, FEW) for kind in GRADIENTS), ("apgd-ce", 3), ("apgd-ce", 2)]
    + [("fab-t", 3), ("fab-t", 2)],
)
def test_verdicts_are_the_librarys_on_each_image_alone(kind, few, norm):
    """And so is the first adversarial example on the way; 1e-5 is float32's rounding.

    The library does not skip anything, so skipping changes nothing.
    """
    net, case = (
        Doubled(trained(), few),
        make_case(kind, norm, epsilon=WIDE[norm], seed=3),
    )
    # FAB is the slowest
    images = digit_images(8 if kind == "fab-t" else 12, n_classes=few)
    table = verdicts(case, net, images, n_classes=few)
    right = _right(net, images)
    slow = dict.fromkeys(images.index, "clean") | dict.fromkeys(right.index, "")
    for target, stage in enumerate(make_stages(case, net, n_classes=few)[1:], 2):
        pending = [row for row, i in enumerate(right.index) if not slow[i]]
        remaining = pick(right, pending)
        ours = stage.find(remaining.x, remaining.y, remaining.index)
        for row, i in enumerate(remaining.index):
            x, y = remaining.x[row : row + 1], remaining.y[row : row + 1]
            watching = RecordingNet(net, x, y, case)
            theirs = _alone(watching, x, y, i, case, target)
            if net(theirs).argmax(1) != y:
                slow[i] = stage.name
            assert torch.allclose(ours[row], watching.first[0], atol=1e-5)
    assert table["fooled_by"].to_dict() == slow
    assert 0.1 <= left(table).mean() <= 0.9


def _drawn(x, index, case, *names):
    """Return APGD's starts for a batch, each drawn as the library would alone."""
    deltas = []
    for i in index:
        stream = torch.Generator().manual_seed(stream_seed(case.seed, *names, i))
        if case.norm == "linf":
            t = 2 * torch.rand(x[:1].shape, generator=stream) - 1
        else:
            t = torch.randn(x[:1].shape, generator=stream)
        deltas.append(case.epsilon * t / _length(t, case.norm))
    return x + torch.cat(deltas)


def _batch(net, images, case, target):
    """Return where the library's attack on a whole batch ends, beginning as ours."""
    kit, x, y = _kit(net, case), images.x, images.y
    names = ("evaluation", case.kind)
    if case.kind == "fab-t":
        kit.fab.target_class = target
        x_adv = kit.fab.attack_single_run(x, y, is_targeted=True)
        near = _length(x_adv - x, case.norm) <= case.epsilon
        return torch.where(near.view(-1, 1, 1, 1), x_adv, x)
    attack = kit.apgd
    if case.kind == "apgd-t":
        attack, names = kit.apgd_targeted, (*names, target)
        attack.y_target = net(x).sort(dim=1)[1][:, -target]
    attack.init_hyperparam(x)
    begin = _drawn(x, images.index, case, *names)
    with torch.random.fork_rng(devices=[]):
        return attack.attack_single_run(x, y, x_init=begin)[3]


@pytest.mark.parametrize(
    ("kind", "norm"), [("apgd-ce", "linf"), ("apgd-t", "l2"), ("fab-t", "linf")]
)
def test_fooled_images_are_skipped_and_that_changes_no_verdict(kind, norm):
    net, case = Doubled(trained()), make_case(kind, norm, seed=4)
    images = _right(net, digit_images(32))
    counted = RecordingNet(net, images.x, images.y, case)
    stages = make_stages(case, counted, n_classes=10)[1:]
    for rank in sorted({0, len(stages) - 1}):
        counted.rows = 0
        ours = stages[rank].find(images.x, images.y, images.index)
        rows, counted.rows = counted.rows, 0
        theirs = _batch(counted, images, case, rank + 2)
        fooled = net(ours).argmax(1) != images.y
        assert torch.equal(fooled, net(theirs).argmax(1) != images.y)
        assert rows < counted.rows or not fooled.any()
        assert rank or 0.1 <= fooled.float().mean() <= 0.9


def test_fab_in_whole_is_the_librarys_own_evaluation(monkeypatch):
    """Of the four only FAB draws nothing: the library's own loop must agree."""
    # it takes the tracing of debuggers and of coverage away
    monkeypatch.setattr(pyautoattack.checks, "check_dynamic", lambda *_, **__: None)
    net, images, case = (
        Doubled(trained(), 6),
        digit_images(14, n_classes=6),
        make_case("fab-t"),
    )
    custom = {"version": "custom", "attacks": ["fab-t"], "seed": 0}
    kit = pyautoattack.AutoAttack(net, norm="Linf", eps=case.epsilon, **custom)
    kit.fab.n_target_classes = 5
    with torch.random.fork_rng(devices=[]):
        x_adv, _ = kit.run_standard_evaluation(images.x, images.y)
    kept = (net(x_adv).argmax(1) == images.y).numpy()
    assert (left(verdicts(case, net, images, chunk=9, n_classes=6)) == kept).all()
    assert 0.1 <= kept.mean() <= 0.9


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("kind", [*GRADIENTS, "square"])
def test_batches_of_few_sizes_find_the_same_candidates(kind, norm):
    """As on a GPU; 1e-5 is float32's rounding."""
    case = make_case(
        kind, norm, number=60 * (kind == "square"), epsilon=WIDE[norm], seed=5
    )
    images = _right(Doubled(trained(), FEW), digit_images(13, n_classes=FEW))
    candidates, sizes = [], []
    for filled_to in (0, 13):
        net = Sizes(Doubled(trained(), FEW))
        stages = make_stages(case, net, n_classes=FEW, filled_to=filled_to)
        candidates.append(stages[1].find(images.x, images.y, images.index))
        sizes.append(set(net.sizes))
    assert torch.allclose(*candidates, atol=1e-5) and not torch.equal(
        candidates[0], images.x
    )
    assert sizes[1] <= {1, 2, 4, 8, 13} and not sizes[0] <= sizes[1]


class Alone(square.SquareAttack):
    """Square on one image: its first signs from its own stream, later from torch's."""

    def begin(self, stream, starts):
        """Draw so many signs from that stream first."""
        self.stream, self.starts = stream, starts

    def random_choice(self, shape):
        self.starts -= 1
        stream = self.stream if self.starts >= 0 else None
        return torch.sign(2 * torch.rand(shape, generator=stream) - 1)


@cache
def _square(norm, epsilon, seed, n, queries):
    """Return the library's results on single images, fed by the streams of ours."""
    net, images, results = Doubled(trained()), digit_images(n), []
    for x, y, i in zip(images.x.split(1), images.y.split(1), images.index, strict=True):
        attack = Alone(
            net,
            norm=LIBRARY[norm],
            n_queries=queries,
            eps=epsilon,
            p_init=0.8,
            resc_schedule=False,
        )
        attack.init_hyperparam(x)
        stream = torch.Generator()
        stream.manual_seed(stream_seed(seed, "evaluation", "square", i))
        # stripes at once for linf, one of 8 x 8 pixels at a time for l2
        attack.begin(stream, 1 if norm == "linf" else 64)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed(seed, "evaluation", "square"))
            results.append(attack.attack_single_run(x, y)[1])
    return torch.cat(results)


@pytest.mark.parametrize("chunk", [1, 64])
@pytest.mark.parametrize("norm", NORMS)
def test_square_is_the_librarys_on_each_image_alone(norm, chunk):
    net, images = Doubled(trained()), digit_images(12)
    case = make_case("square", norm, number=200, epsilon=WIDE[norm], seed=2)
    theirs = _square(norm, case.epsilon, 2, 12, 200)
    kept = (net(theirs).argmax(1) == images.y) & (net(images.x).argmax(1) == images.y)
    assert (left(verdicts(case, net, images, chunk=chunk)) == kept.numpy()).all()
    assert 0.1 <= kept.float().mean() <= 0.9
    right = _right(net, images)
    ours = make_stages(case, net, n_classes=10)[-1].find(right.x, right.y, right.index)
    rows = [images.index.index(i) for i in right.index]
    assert torch.allclose(ours, theirs[rows], atol=1e-5)
