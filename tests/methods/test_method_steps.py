"""Three whole steps of every method against a slow twin of its formulas in float64."""

from copy import deepcopy

import pytest
import torch
from rofit.figures._style import METHODS as OURS
from slow_methods import SLOW
from slow_run import SlowRun
from toy_problems import random_dataset
from training_helpers import doubled

from rofit.attacks.geometry import gaussian_start
from rofit.methods import find_kind
from rofit.methods.released import RELEASED, as_released
from rofit.running import runner
from rofit.settings.threat import NORMS
from rofit.training import checkpoint
from rofit.training.batches import Batch
from rofit.training.loop import make_step

CPU = torch.device("cpu")
EPOCHS, B, STEPS = 10, 6, 3
# Both are float64 and differ in the order of their sums: 1e-14, and 4e-12 where the
# first gradient of an attack is of a divergence that is nearly 0.
CLOSE = 1e-10
# The floor of the label is clamped in float32, so its logarithm is known to 1e-7; the
# direction of a divergence's first gradient to 2e-11 in l2 (3e-14 from starts of 100
# times the length), which the way to the helpers makes 8e-10 (3e-13) in three steps.
LOOSER = {("sce", "linf"): 1e-6, ("hat", "l2"): 1e-8}
KEPT = {"table": "average", "te": "sums", "kd": "table", "adr": "table"}
KEPT |= {"class": "table"}
KEPT |= {"clean": "table", "average": "table", "means": "means"}

SIZES = "val_size epsilon step_size epochs lr".split()  # the tests' own

LATE, EARLY = EPOCHS - 1, 0
CASES = [(name, "linf", epoch, {}) for name in SLOW for epoch in (EARLY, LATE)]
CASES += [
    (name, "l2", LATE, {})
    for name in ("pgd_at", "trades", "awp", "adr", "te", "fast_at", "mlcat_wp", "kd")
    + ("hat", "rslad", "ard", "rebat", "ikl")
]
CASES += [
    ("te", "linf", 5, {}),  # while its weight grows
    ("nuat", "linf", 5, {}),  # the same of its
    ("fgsm_pgi", "linf", 8, {}),  # priors begin anew
    ("adr", "linf", LATE, {"attack_labels": "given"}),
    ("sglr", "linf", LATE, {"attack_labels": "assigned"}),
    ("label_smoothing", "linf", LATE, {"attack_labels": "assigned"}),
    ("mlcat_ls", "linf", LATE, {"mlcat_detach": False}),
    ("mart", "linf", LATE, {"beta": 0.0}),
]


@pytest.fixture(scope="module")
def teachers(tmp_path_factory):
    """A folder for checkpoints of networks that are no run's initial one."""
    return tmp_path_factory.mktemp("teachers")


def _settings(name, more):
    return SLOW[name].s | more


def _taught_by(run, names, folder):
    """Write checkpoints beside *run*'s network; return their paths by name."""
    paths = {}
    for seed, name in enumerate(names):
        stream = torch.Generator().manual_seed(seed)
        state = {
            key: value + 0.02 * torch.randn(value.shape, generator=stream).abs()
            if value.is_floating_point()
            else value
            for key, value in run.model.state_dict().items()
        }
        paths[name] = folder / f"{name}.pt"
        checkpoint.save({"model": state}, paths[name])
    return paths


@pytest.fixture
def pair(smoke_spec, teachers):
    """A function to the product's training and its slow twin, at an epoch."""

    def make(name, norm="linf", epoch=LATE, more=None, recipe=lambda spec: spec):
        settings = _settings(name, more or {})
        radius = {"norm": norm, "epsilon": 0.1, "step_size": 0.05}
        if norm == "l2":
            radius |= {"epsilon": 0.6, "step_size": 0.4}
        sizes = dict(train_size=48, val_size=16, test_size=0, batch_size=16, lr=0.05)
        spec = recipe(smoke_spec(method=name, **sizes))
        settings |= dict(spec.method_params)
        spec = spec.replace(method_params=settings, epochs=EPOCHS, **radius, **sizes)
        data, paths = random_dataset(), {}
        if names := find_kind(spec).teachers:
            run, _ = runner.build_training(spec, data=data, device=CPU)
            paths = _taught_by(run, names, teachers)
        run, _ = runner.build_training(spec, data=data, device=CPU, taught_by=paths)
        doubled(run)
        stream = torch.Generator().manual_seed(9)
        for tensor in run.method.inner.state_dict().values():  # of earlier epochs
            drawn = torch.randn(tensor.shape, generator=stream, dtype=tensor.dtype)
            tensor.copy_(0.02 * drawn)
        run.epoch = epoch
        run.method.begin_epoch(epoch, EPOCHS)
        run.model.train()
        states = [checkpoint.load(path, CPU)["model"] for path in paths.values()]
        return run, SlowRun(SLOW[name], settings, run, states)

    return make


def _batch(run, number, how):
    """Return other images than those of the step before, with starts in float64."""
    stream = torch.Generator().manual_seed(number)
    index = torch.randperm(len(run.train), generator=stream)[:B]
    x = run.train.unit()[index].double()
    x = (x + 0.1 * torch.rand(x.shape, generator=stream)) / 1.1
    start = torch.randn(x.shape, generator=stream).double() / 8  # of length about 1
    start = start * (0.008 if how.near else how.reach * run.spec.epsilon)
    return Batch(number, index, x, run.train.y[index]), start


def _steps(run, slow, steps=STEPS):
    """Make the steps of both, their losses compared; begin an epoch of three."""
    tolerance = LOOSER.get((run.spec.method, run.spec.norm), CLOSE)
    for number in range(steps):
        run.step = number
        batch, start = _batch(run, number, slow.how)
        total = sum(term.item() for term in make_step(run, batch, start).values())
        expected = slow.step(number, batch.x, batch.y, batch.index, start)
        assert total == pytest.approx(expected, rel=tolerance), f"loss of step {number}"
    return tolerance


def _near(actual, expected, tolerance, what):
    """Compare by length: a number that should be 0 has no relative error."""
    apart = torch.linalg.vector_norm((actual - expected).double())
    assert apart <= tolerance * torch.linalg.vector_norm(expected.double()), what


def _same_state(actual, expected, tolerance, what):
    actual = actual.state_dict()
    for key, value in expected.state_dict().items():
        _near(actual[key], value, tolerance, f"{what}: {key}")


def test_every_method_of_ours_has_a_slow_twin():
    """A user's own needs none to pass the suite."""
    assert SLOW.keys() == OURS.keys(), "write its formulas into tests/slow_methods.py"


@pytest.mark.parametrize(
    ("name", "norm", "epoch", "more"),
    CASES,
    ids=lambda arg: ",".join(arg) if isinstance(arg, dict) else str(arg),
)
def test_three_steps_are_those_of_the_formulas(pair, name, norm, epoch, more):
    """Losses, last gradients, weights, statistics, labels, averages and teachers."""
    _compared(*pair(name, norm, epoch, more))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", RELEASED)
def test_three_steps_as_released_are_those_of_the_formulas(pair, name, norm):
    """The same with train-mode attacks, extra passes, Nesterov, starts outside."""
    run, slow = pair(name, norm, recipe=as_released)
    kept = {k: v for k, v in RELEASED[name].items() if k not in SIZES}
    params = dict(run.spec.method_params)
    assert {k: params.get(k, getattr(run.spec, k, None)) for k in kept} == kept
    _compared(run, slow)


def _compared(run, slow):
    """Make three steps of both; compare all that is left of them."""
    assert (run.method.inner.start is gaussian_start) == slow.how.near
    begun = deepcopy(run.model)
    tolerance = _steps(run, slow)
    for (key, weight), expected in zip(
        run.model.named_parameters(), slow.gradients, strict=True
    ):
        _near(weight.grad, expected, tolerance, f"gradient of {key}")
    _same_state(run.model, slow.net, tolerance, "trained")
    assert not torch.equal(run.model.stem.weight, begun.stem.weight)
    for floor in (value for key, value in slow.s.items() if key.endswith("_floor")):
        assert min(slow.losses) < floor < max(slow.losses), "a floor that decides"
    if slow.frozen and slow.how.labels != "class":
        assert slow.table.amax(dim=1).min() < 0.9, "a teacher that is not all sure"
    if attribute := KEPT.get(slow.how.labels):
        table = getattr(run.method.labels, attribute)
        _near(table, slow.table, tolerance, "label table")
    if slow.how.labels == "adr":
        _same_state(run.method.labels.teacher.network, slow.teacher, tolerance, "ADR's")
    for key, value in run.method.inner.state_dict().items():
        _near(value, slow.remembered[key], tolerance, key)
    if slow.how.averages:
        assert not run.method.average.network.training
        _same_state(run.method.average.network, slow.average, tolerance, "averaged")


def test_classes_are_weighed_by_what_was_predicted_of_them_an_epoch_before(pair):
    """IKL: two epochs of three steps; the second's weights are no longer uniform."""
    run, slow = pair("ikl", epoch=EARLY)
    _steps(run, slow)
    assert (slow.table == slow.table[0, 0]).all() and slow.sums.sum() > 0
    run.epoch = EARLY + 1
    run.method.begin_epoch(run.epoch, EPOCHS)
    slow.begin_epoch(run.epoch)
    assert slow.table.amax(dim=1).max() > 1.05 * slow.table.amin()
    _near(run.method.labels.means, slow.table, CLOSE, "means of classes")
    _steps(run, slow)
    _same_state(run.model, slow.net, CLOSE, "trained")
    _near(run.method.labels.sums, slow.sums, CLOSE, "sums of the second epoch")


@pytest.mark.parametrize("name", SLOW)
def test_nothing_but_the_weights_is_left_of_a_step(pair, name):
    """The network stays in train mode, frozen ones without gradients or changes."""
    run, slow = pair(name)
    kept = deepcopy(slow.frozen)
    _steps(run, slow, steps=1)
    assert all(module.training for module in run.model.modules())
    teachers = [network for network, _ in getattr(run.method.labels, "teachers", ())]
    for mine, before in zip(teachers, kept, strict=True):
        assert not any(module.training for module in mine.modules())
        _same_state(mine, before, 0.0, "teacher")
    for network in (*teachers, *_averaged(run)):
        assert all(p.grad is None for p in network.parameters())


def _averaged(run):
    return [run.method.average.network] if run.method.average else []


def _statistics(net, batches):
    """Return BatchNorm's mean and variance by name: means over batches of theirs."""
    recorded, hooks = {}, []
    net = deepcopy(net).train()
    for name, module in net.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            recorded[name] = []
            keep = recorded[name].append
            hooks.append(lambda _, given, keep=keep: keep(given[0].detach()))
            module.register_forward_pre_hook(hooks[-1])
    for x in batches:
        net(x)
    statistics = {}
    for name, inputs in recorded.items():
        maps = [t.transpose(0, 1).flatten(1) for t in inputs]  # a row a channel
        statistics[f"{name}.running_mean"] = sum(m.mean(1) for m in maps) / len(maps)
        statistics[f"{name}.running_var"] = sum(m.var(1) for m in maps) / len(maps)
    return statistics


@pytest.mark.parametrize("name", ["swa", "kd_swa"])
def test_average_over_epochs_is_their_mean_with_statistics_estimated_anew(pair, name):
    """5.7: an epoch before the start is no part of it; BatchNorm sees clean images."""
    run, slow = pair(name)
    average, batches = run.method.average, [x.double() for x in run.clean_batches()]
    network, weights = average.network, []
    assert len(batches) == 3

    def after(epoch):
        average.after_epoch(run.model, epoch, EPOCHS, lambda: iter(batches))

    _steps(run, slow)
    after(6)  # swa_start is 0.7
    _same_state(network, run.model, 0.0, "copied")
    for epoch in (7, 8):
        _steps(run, slow)
        weights.append([p.detach().clone() for p in run.model.parameters()])
        after(epoch)
        mean = [sum(copies) / len(weights) for copies in zip(*weights, strict=True)]
        for mine, expected in zip(network.parameters(), mean, strict=True):
            _near(mine, expected, 1e-14, "mean of weights")
        state = network.state_dict()
        for key, expected in _statistics(network, batches).items():
            _near(state[key], expected, 1e-12, key)
    assert not network.training
