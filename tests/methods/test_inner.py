"""What the attack of a method climbs on when another's labels are taken.

Methods here are files of a user's, which are in no registry.
"""

from dataclasses import dataclass, replace
from types import ModuleType

import pytest
import torch
from toy_problems import conv_net

from rofit.attacks.pgd import PGD
from rofit.errors import UserError
from rofit.labels.fixed import Smoothed
from rofit.labels.self_guided import SelfGuided
from rofit.losses import margin
from rofit.methods import METHODS, Context, Method
from rofit.methods.compose import composed
from rofit.methods.inner import InnerMaximisation
from rofit.methods.method import soft_label_objective
from rofit.settings.knobs import Knobs
from rofit.settings.threat import ThreatModel

K = 3
ATTACK = PGD(ThreatModel("linf", 0.1), 5, 0.05)
GIVEN = Context(ATTACK, torch.arange(K), K, conv_net(n_classes=K))


@dataclass(frozen=True)
class Params(Knobs):
    """Nothing to set."""


def _file(name, brings, build):
    module = ModuleType(f"rofit.methods.{name}")
    module.BRINGS, module.Params, module.build = frozenset(brings), Params, build
    return module


def _margin_at(params, given):
    inner = InnerMaximisation(given.attack, margin)
    return Method(Smoothed(K), inner, soft_label_objective)


def _half(params, given):
    inner = InnerMaximisation(given.attack)
    return Method(Smoothed(K, 0.5), inner, soft_label_objective)


def _built(base, donor, **params):
    kind = composed(base, donor, (), METHODS)
    return kind.build(kind.Params(**params), GIVEN)


def test_attack_on_another_loss_than_cross_entropy_keeps_it():
    base, sglr = _file("margin_at", {"objective"}, _margin_at), METHODS["sglr"]
    made = _built(base, sglr)
    assert made.inner == InnerMaximisation(ATTACK, margin)
    assert type(made.labels) is SelfGuided
    with pytest.raises(UserError, match="leave it out"):
        _built(base, sglr, attack_labels="assigned")


@pytest.mark.parametrize("base", ["pgd_at", "trades", "standard"])
def test_label_rule_without_a_choice_of_the_attacks_labels_is_taken(base):
    base = METHODS[base]
    made = _built(base, _file("half", {"labels"}, _half))
    assert made.labels.rho == 0.5
    assert made.inner == base.build(base.Params(), GIVEN).inner


def test_start_and_steps_stay_the_base_methods_own():
    """MART's Gaussian start and fast AT's one step, whatever the labels."""
    for name in ("mart", "fast_at"):
        base = METHODS[name]
        alone = base.build(base.Params(), GIVEN).inner
        made = _built(base, METHODS["sglr"], attack_labels="assigned").inner
        assert made == replace(alone, loss=made.loss, labels=made.labels)
        assert made != alone
