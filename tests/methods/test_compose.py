"""Methods put together from parts: what goes together, what does not, and by what name.

What a module BRINGS is compared with what it builds; every combination of the registry
is then either built or refused, as BRINGS says.
"""

from dataclasses import asdict
from itertools import combinations, product

import pytest
import torch
from command_line import rofit
from toy_problems import conv_net, random_dataset
from training_helpers import CPU, last_state, same, train

from rofit.attacks.pgd import PGD
from rofit.errors import UserError
from rofit.labels.fixed import Smoothed
from rofit.methods import METHODS, Context, find_kind, make_params
from rofit.methods.inner import ATTACK_LABELS
from rofit.methods.method import soft_label_objective
from rofit.methods.resolve import described, override, resolve
from rofit.progress import Report
from rofit.running import runner
from rofit.settings.knobs import knob_types
from rofit.settings.spec import RunSpec
from rofit.settings.threat import ThreatModel
from rofit.training.loop import train_epoch
from rofit.training.stop import Stop

K = 4
Y = torch.tensor([2, 0, 3, 1, 2, 0, 1])
ATTACK = PGD(ThreatModel("linf", 0.1), 5, 0.05)
NET = conv_net(n_classes=K)
LABELS = [name for name, module in METHODS.items() if module.BRINGS == {"labels"}]
PERTURBATIONS = [
    n for n, module in METHODS.items() if module.BRINGS == {"perturbation"}
]
AVERAGES = [name for name, module in METHODS.items() if module.BRINGS == {"average"}]


def _spec(base, labels="", weights=(), **params):
    donors = {"labels_from": labels, "weights_from": tuple(w for w in weights if w)}
    return RunSpec(method=base, method_params=params, **donors)


def _built(spec):
    kind = find_kind(spec)
    teachers = {name: NET for name in kind.teachers}
    params = make_params(kind, dict(spec.method_params))
    return kind.build(params, Context(ATTACK, Y, K, NET, teachers))


def _brought(made):
    """Return what a built method has besides adversarial training on given labels."""
    has = {
        "labels": type(made.labels) is not Smoothed or made.labels.rho != 0,
        "objective": made.objective is not soft_label_objective,
        "perturbation": made.perturbation is not None,
        "average": made.average is not None,
        "attack": made.inner.attack != ATTACK,
    }
    return {part for part, there in has.items() if there}


def test_there_are_parts_of_every_kind_to_take():
    assert set(LABELS) == {"label_smoothing", "sgls", "sglr", "adr"}
    assert set(PERTURBATIONS) == {"awp", "mlcat_wp"}
    assert set(AVERAGES) == {"weight_ema", "swa"}


@pytest.mark.parametrize("name", METHODS)
def test_method_brings_what_it_says_and_nothing_else(name):
    assert _brought(_built(_spec(name))) == METHODS[name].BRINGS


def _goes_together(base, labels, weights):
    brought = set(METHODS[base].BRINGS)
    for donor in (labels, *weights):
        if donor and METHODS[donor].BRINGS & brought:
            return False
        brought |= METHODS[donor].BRINGS if donor else set()
    return True


@pytest.mark.parametrize("base", METHODS)
def test_every_combination_is_built_or_refused_as_its_parts_say(base):
    """The parts are of the donors' types, everything else is as the base has it."""
    alone = _built(_spec(base))
    for labels, *weights in product(
        ("", *LABELS), ("", *PERTURBATIONS), ("", *AVERAGES)
    ):
        spec = _spec(base, labels, weights)
        if not _goes_together(base, labels, weights):
            with pytest.raises(UserError, match="; give one|begin from another method"):
                find_kind(spec)
            continue
        made = _built(spec)
        donors = [donor for donor in (labels, *weights) if donor]
        parts = METHODS[base].BRINGS.union(*(METHODS[d].BRINGS for d in donors))
        assert _brought(made) == parts, spec
        for donor in donors:
            (part,) = METHODS[donor].BRINGS
            theirs = getattr(_built(_spec(donor)), part)
            assert type(getattr(made, part)) is type(theirs), (spec, part)
        for kept in ("attack", "start"):
            assert getattr(made.inner, kept) == getattr(alone.inner, kept), spec
        assert made.learns_clean == alone.learns_clean, spec


def test_parameters_that_meet_never_share_a_name():
    donors = [*LABELS, *PERTURBATIONS, *AVERAGES]
    for one, other in [*product(METHODS, donors), *combinations(donors, 2)]:
        if METHODS[one].BRINGS & METHODS[other].BRINGS:
            continue
        mine, theirs = (knob_types(METHODS[name].Params) for name in (one, other))
        assert not mine.keys() & theirs.keys(), (one, other)


@pytest.mark.parametrize("base", ["pgd_at", "mart", "sce", "fast_at", "mlcat_ls"])
def test_attack_on_cross_entropy_takes_the_labels_choice_too(base):
    for labels, choice in (("adr", "assigned"), ("sglr", "given")):
        inner = _built(_spec(base, labels)).inner
        assert (inner.loss, inner.labels) == ATTACK_LABELS[choice]
    inner = _built(_spec(base, "sglr", attack_labels="assigned")).inner
    assert (inner.loss, inner.labels) == ATTACK_LABELS["assigned"]


def test_parts_change_the_name_of_a_run_and_none_leaves_it():
    names = {
        spec.run_id
        for spec in (
            _spec("pgd_at"),
            _spec("pgd_at", "sglr"),
            _spec("pgd_at", "sgls"),
            _spec("pgd_at", "", ("awp",)),
            _spec("pgd_at", "", ("swa",)),
            _spec("pgd_at", "", ("awp", "swa")),
            _spec("pgd_at", "sglr", ("awp", "swa")),
        )
    }
    assert len(names) == 7 and all(name.startswith("pgd_at-") for name in names)
    assert _spec("pgd_at", "", ()).run_id == RunSpec().run_id


def test_order_of_weight_rules_names_no_other_run():
    one, other = (
        _spec("pgd_at", "", ("awp", "swa")),
        _spec("pgd_at", "", ("swa", "awp")),
    )
    assert resolve(one).run_id == resolve(other).run_id


def test_parameters_of_a_composed_method_are_those_of_its_parts():
    spec = _spec("trades", "sglr", ("awp", "swa"))
    params = asdict(find_kind(spec).Params())
    expected = {}
    for name in ("trades", "sglr", "awp", "swa"):
        expected |= asdict(METHODS[name].Params())
    assert params == expected
    explicit = spec.replace(method_params=params | {"r": 0.5, "beta": 6})
    assert resolve(explicit) == spec.replace(method_params={"r": 0.5})
    kept = {
        k: v for k, v in described(explicit).items() if k not in ("run_id", "family_id")
    }
    assert resolve(RunSpec.from_dict(kept)) == resolve(explicit)


def test_parameter_of_a_part_that_was_not_taken_is_refused_with_the_parts_named():
    spec = _spec("trades", "sglr", ("awp",), swa_start=0.5)
    with pytest.raises(UserError, match=r"parameter of trades\+awp\+sglr 'swa_start'"):
        resolve(spec)
    with pytest.raises(UserError, match="r must be at least 0 and at most 1, got 2"):
        resolve(_spec("trades", "sglr", r=2.0))
    with pytest.raises(UserError, match=r"of a run or of mart\+sglr\) 'beat'.*beta"):
        override(_spec("mart", "sglr"), {"beat": "1"})


def test_parts_and_their_parameters_are_read_from_text():
    text = {"labels_from": "sglr", "weights_from": "awp, swa", "r": "1/2"}
    expected = _spec("trades", "sglr", ("awp", "swa"), r=0.5)
    assert override(RunSpec(), {"method": "trades"} | text) == expected
    assert override(RunSpec(method="trades"), text | {"awp_gamma": "0.01"}) == expected


TRAINED = [
    ("trades", "sglr", ("awp", "swa")),
    ("mart", "adr", ("mlcat_wp", "weight_ema")),
    ("standard", "adr", ("awp", "swa")),
    ("kd", "", ("mlcat_wp", "weight_ema")),
    ("te", "", ("swa", "awp")),
    ("fast_at", "label_smoothing", ("awp",)),
    ("sce", "sglr", ()),
]


@pytest.mark.parametrize("combination", TRAINED, ids=lambda p: f"{p[0]}-{p[1]}-{p[2]}")
def test_composed_method_trains(smoke_spec, combination):
    base, labels, weights = combination
    sizes = dict(train_size=48, val_size=16, test_size=0, batch_size=16)
    names = dict(method=base, labels_from=labels, weights_from=weights)
    run, _ = runner.build_training(
        smoke_spec(**sizes, **names), data=random_dataset(), device=CPU
    )
    run.epoch = 1
    terms = train_epoch(run, Stop(), Report())
    assert len(terms) == 3
    assert all(term.isfinite() for step in terms for term in step.values())


def test_composed_run_that_was_stopped_ends_like_one_that_was_not(smoke_spec, tmp_path):
    """Label table, teacher and average: all that a checkpoint keeps of parts."""
    spec = smoke_spec(method="mart", labels_from="adr", weights_from=("awp", "swa"))
    for stop_after in (1, 2, None):
        stopped, done = train(spec, tmp_path / "one", stop_after=stop_after)
    unbroken, _ = train(spec, tmp_path / "other")
    assert done
    same(last_state(stopped), last_state(unbroken))


def test_parts_by_flag_are_parts_by_setting(tmp_path):
    flags = ("--labels", "sglr", "--weights", "awp,swa")
    settings = ("--set", "labels_from=sglr", "--set", "weights_from=awp,swa")
    command = ("train", "--scale", "smoke", "--dry-run", "--json", "--method", "trades")
    command += ("--set", "r=0.5")
    by_flag, by_setting = (
        rofit(tmp_path, *command, *words) for words in (flags, settings)
    )
    assert by_flag.code == 0 and by_flag == by_setting
    only = rofit(tmp_path, *command, "--labels", "sglr")
    assert only.code == 0 and only.out != by_setting.out
    assert rofit(tmp_path, *command, "--set", "labels_from=sglr") == only
