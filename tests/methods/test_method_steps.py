"""Three whole steps of every method against a slow twin of its formulas in float64."""

from copy import deepcopy

import pytest
import torch
from rofit.figures._style import METHODS as OURS
from slow_methods import SLOW
from slow_pairs import EARLY, LATE, assert_near, assert_same_state, make_steps

from rofit.attacks.geometry import gaussian_start
from rofit.methods.released import RELEASED, as_released
from rofit.settings.threat import NORMS

KEPT = {"table": "average", "te": "sums", "kd": "table", "adr": "table"}
KEPT |= {"class": "table"}
KEPT |= {"clean": "table", "average": "table", "means": "means"}

SIZES = "val_size epsilon step_size epochs batch_size lr".split()  # the tests' own

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
# Those with an attack of their own are of one norm.
AS_RELEASED = [
    (name, norm) for name in RELEASED for norm in NORMS if not SLOW[name].attack
]
AS_RELEASED += [(name, "linf") for name in RELEASED if SLOW[name].attack]


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


@pytest.mark.parametrize(("name", "norm"), AS_RELEASED)
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
    tolerance = make_steps(run, slow)
    for (key, weight), expected in zip(
        run.model.named_parameters(), slow.gradients, strict=True
    ):
        assert_near(weight.grad, expected, tolerance, f"gradient of {key}")
    assert_same_state(run.model, slow.net, tolerance, "trained")
    assert not torch.equal(run.model.stem.weight, begun.stem.weight)
    for floor in (value for key, value in slow.s.items() if key.endswith("_floor")):
        assert min(slow.losses) < floor < max(slow.losses), "a floor that decides"
    if slow.frozen and slow.how.labels != "class":
        assert slow.table.amax(dim=1).min() < 0.9, "a teacher that is not all sure"
    if attribute := KEPT.get(slow.how.labels):
        table = getattr(run.method.labels, attribute)
        assert_near(table, slow.table, tolerance, "label table")
    if slow.how.labels == "adr":
        assert_same_state(
            run.method.labels.teacher.network, slow.teacher, tolerance, "ADR's"
        )
    for key, value in run.method.inner.state_dict().items():
        assert_near(value, slow.remembered[key], tolerance, key)
    if slow.how.averages:
        assert not run.method.average.network.training
        assert_same_state(
            run.method.average.network, slow.average, tolerance, "averaged"
        )


@pytest.mark.parametrize("name", SLOW)
def test_nothing_but_the_weights_is_left_of_a_step(pair, name):
    """The network stays in train mode, frozen ones without gradients or changes."""
    run, slow = pair(name)
    kept = deepcopy(slow.frozen)
    make_steps(run, slow, steps=1)
    assert all(module.training for module in run.model.modules())
    teachers = [network for network, _ in getattr(run.method.labels, "teachers", ())]
    for mine, before in zip(teachers, kept, strict=True):
        assert not any(module.training for module in mine.modules())
        assert_same_state(mine, before, 0.0, "teacher")
    for network in (*teachers, *_averaged(run)):
        assert all(p.grad is None for p in network.parameters())


def _averaged(run):
    return [run.method.average.network] if run.method.average else []
