"""FGSM, PGD, C&W and transfer against loops over single images, and foolbox."""

import warnings
from functools import partial

import numpy as np
import pytest
import torch
from evaluated_digits import digit_images, left, make_case, pick, trained, verdicts

from rofit.attacks.pgd import PGD
from rofit.evaluation.cases import Case
from rofit.evaluation.stages import make_stages, starts
from rofit.seeding import stream_seed
from rofit.settings.threat import NORMS

N = 32
CASES = {
    "fgsm": make_case("fgsm"),
    "pgd linf": make_case("pgd", number=8, restarts=3),
    "pgd l2": make_case("pgd", "l2", number=8, restarts=3),
    "cw linf": make_case("cw", number=8, restarts=2),
    "cw l2": make_case("cw", "l2", number=8),
}


@pytest.fixture(scope="module")
def net():
    return trained()


@pytest.fixture(scope="module")
def images():
    return digit_images(N, dtype=torch.float64)


def _stage_starts(case, images):
    """Return (restarts, n, C, H, W): where each restart begins."""
    if case.kind == "fgsm":
        return torch.zeros_like(images.x)[None]
    begin = partial(starts, case.threat, images.x, images.index, case.seed, case.kind)
    return torch.stack([begin(restart) for restart in range(case.restarts)])


def _loss(kind, logits, y):
    """Return what an attack climbs on, from the formulas, for one image."""
    if kind == "cw":
        wrong = [k for k in range(len(logits)) if k != y]
        return max(logits[k] for k in wrong) - logits[y]
    return torch.logsumexp(logits, 0) - logits[y]


def _slow_pgd(net, x, y, begin, case, steps, step_size):
    """Return where the attack on one image (C, H, W) ends."""

    def cut(delta):
        if case.norm == "linf":
            delta = delta.clamp(-case.epsilon, case.epsilon)
        elif delta.square().sum().sqrt() > case.epsilon:
            delta = delta * case.epsilon / delta.square().sum().sqrt()
        return (x + delta).clamp(0, 1) - x

    delta = cut(begin)
    for _ in range(steps):
        at = (x + delta).requires_grad_()
        (gradient,) = torch.autograd.grad(_loss(case.kind, net(at[None])[0], y), at)
        length = gradient.square().sum().sqrt()
        up = gradient.sign() if case.norm == "linf" else gradient / length
        delta = cut(delta + step_size * up)
    return x + delta


def _slow_verdict(net, x, y, begins, case):
    """Return the stage that fools one image, from the formulas."""
    if net(x[None]).argmax().item() != y:
        return "clean"
    fgsm = case.kind == "fgsm"
    steps, size = (1, case.epsilon) if fgsm else (case.number, case.step_size)
    for restart, begin in enumerate(begins):
        end = _slow_pgd(net, x, y, begin, case, steps, size)
        if net(end[None]).argmax().item() != y:
            return "fgsm" if fgsm else f"{case.attack} {restart + 1}"
    return ""


@pytest.mark.parametrize("name", CASES)
def test_verdicts_are_those_of_a_loop_over_single_images(net, images, name):
    case = CASES[name]
    table = verdicts(case, net, images)
    begins = _stage_starts(case, images)
    examples = zip(images.x, images.y.tolist(), begins.transpose(0, 1), strict=True)
    slow = [_slow_verdict(net, x, y, begin, case) for x, y, begin in examples]
    assert table["fooled_by"].tolist() == slow
    assert 0.2 <= left(table).mean() <= 0.8 and "clean" in slow


@pytest.fixture(scope="module")
def foolbox():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it asks for old SciPy
        return pytest.importorskip("foolbox")


def _attack(foolbox, case, begin=None):
    """Return foolbox's attack; beginning at *begin*, or where it draws itself."""
    from eagerpy import astensor  # foolbox's own tensors

    kinds = {
        ("fgsm", "linf"): foolbox.attacks.LinfFastGradientAttack,
        ("pgd", "linf"): foolbox.attacks.LinfProjectedGradientDescentAttack,
        ("pgd", "l2"): foolbox.attacks.L2ProjectedGradientDescentAttack,
    }
    kind = kinds["pgd" if case.kind == "cw" else case.kind, case.norm]

    class Attack(kind):
        def get_random_start(self, x0, epsilon):
            own = super().get_random_start(x0, epsilon)
            return own if begin is None else x0 + astensor(begin)

        def get_loss_fn(self, model, labels):
            def margin(x):
                examples = zip(model(x).raw, labels.raw, strict=True)
                return astensor(sum(_loss("cw", z, y) for z, y in examples))

            return margin if case.kind == "cw" else super().get_loss_fn(model, labels)

    if case.kind == "fgsm":
        return Attack()
    return Attack(abs_stepsize=case.step_size, steps=case.number)


def _foolbox_left(foolbox, net, images, case, begins):
    """Return which images no start of foolbox's attack fools, and its last ends."""
    model = foolbox.PyTorchModel(net, bounds=(0, 1), device="cpu")
    kept, ends = torch.ones(len(images.y), dtype=torch.bool), images.x
    for begin in begins:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            attack = _attack(foolbox, case, begin)
            _, ends, fooled = attack(model, images.x, images.y, epsilons=case.epsilon)
        kept &= ~fooled
    return kept.numpy(), ends


@pytest.mark.parametrize("name", CASES)
def test_verdicts_are_foolboxs_from_the_same_starts(foolbox, net, images, name):
    case = CASES[name]
    begins = _stage_starts(case, images)
    kept, ends = _foolbox_left(foolbox, net, images, case, begins)
    assert (left(verdicts(case, net, images)) == kept).all()
    last = make_stages(case, net, n_classes=10)[-1]
    assert torch.allclose(last.find(images.x, images.y, images.index), ends, atol=1e-9)


@pytest.mark.parametrize("norm", NORMS)
def test_accuracy_is_foolboxs_with_its_own_starts_up_to_sampling(foolbox, net, norm):
    """Only images whose verdict depends on the start can differ.

    Over seeds, d of 200 change: two accuracies differ by a sum of at most d terms of
    variance 1/2 / 200^2. Four deviations, and one image for d = 0.
    """
    more_images, pgd_case = (
        digit_images(200, dtype=torch.float64),
        partial(make_case, "pgd", norm, number=8),
    )
    kept = [left(verdicts(pgd_case(seed=seed), net, more_images)) for seed in range(4)]
    d = np.ptp(np.stack(kept).astype(int), axis=0).sum()
    theirs, _ = _foolbox_left(foolbox, net, more_images, pgd_case(), [None])
    difference = abs(kept[0].mean() - theirs.mean())
    assert difference <= (1 + 4 * np.sqrt(d / 2)) / 200
    assert d < 40  # a tolerance of 9 % at most


@pytest.mark.parametrize("norm", NORMS)
def test_a_start_is_a_function_of_seed_kind_restart_and_position(images, norm):
    threat = make_case("pgd", norm).threat
    begin = starts(threat, images.x, images.index, 5, "pgd", 2)
    some = pick(images, [9, 0, 30])
    again = starts(threat, some.x.flip(0), some.index, 5, "pgd", 2)
    assert torch.equal(again, begin[[9, 0, 30]])  # the images do not matter
    for other in [(6, "pgd", 2), (5, "cw", 2), (5, "pgd", 1)]:
        changed = starts(threat, images.x, images.index, *other)
        assert (changed != begin).flatten(1).any(1).all()
    assert len(torch.unique(begin, dim=0)) == N  # nor does one serve two of them


def test_a_start_is_drawn_from_the_stream_of_its_name(images):
    stream = torch.Generator().manual_seed(stream_seed(5, "evaluation", "pgd", 2, 31))
    drawn = torch.empty(1, 1, 8, 8).uniform_(-0.07, 0.07, generator=stream)
    begin = starts(make_case("pgd").threat, images.x[:1], [31], 5, "pgd", 2)
    assert torch.equal(begin, drawn.double())


def _begun(case, net, images):
    """Return the starts that an evaluation's stages ask their attack for."""
    begins = []

    class RecordingPGD(PGD):
        def __call__(self, model, x, loss, target, start):
            begins.append(start)
            return x

    make = {"make_pgd": RecordingPGD, "source": net}
    for stage in make_stages(case, net, n_classes=10, **make)[1:]:
        stage.find(images.x, images.y, images.index)
    return torch.stack(begins)


def test_numbers_of_steps_share_starts_and_kinds_do_not(net, images):
    begun = _begun(make_case("pgd", number=20, restarts=2), net, images)
    assert torch.equal(
        begun, _begun(make_case("pgd", number=100, restarts=2), net, images)
    )
    assert torch.equal(begun[:1], _begun(make_case("transfer"), net, images))
    assert (begun != _begun(make_case("cw", number=20, restarts=2), net, images)).any()
    assert (begun[0] != begun[1]).any()
    assert (_begun(make_case("fgsm"), net, images) == 0).all()


@pytest.mark.parametrize("name", ["pgd linf", "pgd l2", "cw linf"])
def test_verdicts_depend_on_no_batches_order_or_neighbours(net, images, name):
    whole = verdicts(CASES[name], net, images, chunk=64)
    for chunk in (1, 7):
        assert whole.equals(verdicts(CASES[name], net, images, chunk=chunk))
    backwards = pick(images, list(range(N))[::-1])
    assert whole.equals(verdicts(CASES[name], net, backwards, chunk=7))
    some = pick(images, [3, 30, 17, 22])
    alone = verdicts(CASES[name], net, some)
    assert whole.loc[alone.index].equals(alone)


@pytest.mark.parametrize("norm", NORMS)
def test_a_restart_fools_more_and_forgives_nothing(net, norm):
    more_images = digit_images(200, dtype=torch.float64)
    once = verdicts(make_case("pgd", norm, number=6), net, more_images)
    often = verdicts(make_case("pgd", norm, number=6, restarts=4), net, more_images)
    first = often["fooled_by"].replace({f"pgd6x4 {k}": "" for k in (2, 3, 4)})
    assert (first == once["fooled_by"].replace("pgd6 1", "pgd6x4 1")).all()
    assert left(often).sum() < left(once).sum()  # some start matters here


def test_transfer_is_made_on_the_source_and_judged_on_the_network(net, images):
    source, case = trained(1), make_case("transfer", epsilon=0.15)
    (begin,) = _stage_starts(Case(**case.as_dict() | {"kind": "pgd"}), images)
    examples = zip(images.x, images.y.tolist(), begin, strict=True)
    ends = torch.stack(
        [_slow_pgd(source, x, y, b, case, 20, case.step_size) for x, y, b in examples]
    )
    made = make_stages(case, net, n_classes=10, source=source)[-1].find
    assert torch.allclose(made(images.x, images.y, images.index), ends, atol=1e-9)
    table = verdicts(case, net, images, source=source)
    right = (net(images.x).argmax(1) == images.y) & (net(ends).argmax(1) == images.y)
    assert (left(table) == right.numpy()).all()
    own = (source(ends).argmax(1) == images.y).numpy()
    assert left(table).mean() > own.mean() + 0.1  # it was made for the other network
