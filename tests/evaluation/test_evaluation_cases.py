"""The grammar of attacks' names, and which evaluations are one and the same."""

import dataclasses
import re

import pytest

from rofit.errors import UserError
from rofit.evaluation.cases import ALL, ATTACKS, Case, read_cases
from rofit.settings.spec import RunSpec

SPEC = RunSpec(epsilon=8 / 255, step_size=2 / 255)
CASE = Case("pgd", 20, 1, "linf", 8 / 255, 2 / 255, 10_000)
DIGEST = "0" * 64


def _read(*names, spec=SPEC, n=100, source="ab12", **options):
    return read_cases(names, spec, n=n, source=source, **options)


def _only(name, **options):
    """Return the one case that a name stands for."""
    (case,) = _read(name, **options)
    return case


def _shortest(kind):
    """Return the shortest name of an attack of that kind: its number if it must."""
    return f"{kind}20" if ATTACKS[kind].number == 0 else kind


def _norms():
    return [(kind, norm) for kind, about in ATTACKS.items() for norm in about.norms]


@pytest.mark.parametrize(("kind", "norm"), _norms())
def test_every_attack_is_read_inside_each_of_its_norms(kind, norm):
    case = _only(_shortest(kind), norm=norm, epsilons=[0.5], seed=3)
    about = ATTACKS[kind]
    drawn = ("linf", 100, 0) if kind == "clean" else (norm, 100, 3)
    assert (case.kind, case.norm, case.n, case.seed) == (kind, *drawn)
    assert case.epsilon == (0.0 if kind == "clean" else 0.5)
    assert case.number == (20 if about.number == 0 else about.number or 0)
    assert case.restarts == 1
    assert (case.step_size > 0) == about.ours
    assert case.source == ("ab12" if kind == "transfer" else "")
    assert (case.threat.norm, case.threat.epsilon) == (case.norm, case.epsilon)


@pytest.mark.parametrize("kind", ATTACKS)
def test_a_number_in_a_name_is_taken_where_there_is_one(kind):
    if ATTACKS[kind].number is None:
        with pytest.raises(UserError, match=re.escape(f"{kind} takes no number")):
            _read(f"{kind}7")
    else:
        assert _only(f"{kind}7").number == 7


@pytest.mark.parametrize("kind", ATTACKS)
def test_restarts_are_taken_where_there_are_some(kind):
    about, message = ATTACKS[kind], "restarts are for pgd and cw, at least 1: pgd20x5"
    if about.restarts:
        case = _only(f"{kind}7x3")
        assert (case.number, case.restarts, case.attack) == (7, 3, f"{kind}7x3")
        with pytest.raises(UserError, match=message):
            _read(f"{kind}7x0")
    else:
        name = f"{kind}x3" if about.number is None else f"{kind}7x3"
        with pytest.raises(UserError, match=re.escape(f"'{name}': {message}")):
            _read(name)


def test_restarts_go_with_the_usual_number_where_there_is_one():
    assert _only("cwx5").attack == "cw100x5"
    with pytest.raises(UserError, match="pgd needs its number of steps"):
        _read("pgdx5")


def test_all_takes_a_radius_and_an_attack_that_is_named_is_never_dropped():
    radii = {case.attack: case.epsilon for case in _read("all@0.05")}
    assert set(radii.values()) == {0.0, 0.05} and radii["none"] == 0.0
    with pytest.raises(UserError, match="fgsm is an attack inside linf, not l2"):
        _read("all", "fgsm", norm="l2", epsilons=[0.5])
    with pytest.raises(UserError, match="clean has no radius, got clean@8/255"):
        _read("clean@8/255")


@pytest.mark.parametrize("kind", ATTACKS)
def test_an_attacks_name_is_read_back_as_the_same_case(kind):
    """But clean's, which rows call ``none``."""
    case = _only(_shortest(kind))
    if kind == "clean":
        assert case.attack == "none"
    else:
        assert _only(case.attack) == case


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("pgd20x1", "pgd20"),
        ("cw", "cw100"),
        ("square", "square5000"),
        ("pgd20x5", "pgd20x5"),
        ("apgd-t", "apgd-t"),
        ("clean", "none"),
    ],
)
def test_names_are_canonical(spelling, name):
    assert _only(spelling).attack == name


def test_a_radius_behind_an_at_replaces_all_others():
    case = _only("pgd20@4/255", epsilons=[0.1, 0.2])
    assert (case.epsilon, case.attack) == (4 / 255, "pgd20")
    assert _only("pgd20@0.25", norm="l2").epsilon == 0.25


def test_radii_are_the_given_ones_or_the_runs():
    assert _only("fgsm").epsilon == SPEC.epsilon
    cases = _read("pgd20", "apgd-ce", epsilons=[0.1, 0.2])
    assert [(case.attack, case.epsilon) for case in cases] == [
        ("pgd20", 0.1),
        ("pgd20", 0.2),
        ("apgd-ce", 0.1),
        ("apgd-ce", 0.2),
    ]


def test_all_is_the_list_that_says_so_in_its_order():
    names = [case.attack for case in _read("all")]
    assert names == ["none", *ALL[1:]]
    assert [case.attack for case in _read("all", norm="l2", epsilons=[0.5])] == [
        name for name in names if name != "fgsm"
    ]


def test_duplicates_are_dropped_and_the_order_is_kept():
    cases = _read("pgd20x1", "clean", "pgd20", "pgd20@8/255", "clean", epsilons=[0.1])
    assert [(case.attack, case.epsilon) for case in cases] == [
        ("pgd20", 0.1),
        ("none", 0.0),
        ("pgd20", 8 / 255),
    ]


@pytest.mark.parametrize("kind", [kind for kind in ATTACKS if ATTACKS[kind].ours])
def test_steps_keep_the_runs_ratio_in_its_norm_and_are_a_quarter_elsewhere(kind):
    name, spec = _shortest(kind), RunSpec(epsilon=0.1, step_size=0.07)
    assert _only(name, spec=spec).step_size == pytest.approx(0.07, rel=1e-15)
    half = _only(f"{name}@0.05", spec=spec)
    assert half.step_size == pytest.approx(0.035, rel=1e-15)
    assert _only(f"{name}@0.5", spec=spec, norm="l2").step_size == 0.125
    pointless = RunSpec(epsilon=0.0, step_size=0.07)
    assert _only(f"{name}@0.1", spec=pointless).step_size == 0.025


def test_only_transfer_depends_on_the_source():
    assert _only("pgd20", source="") == _only("pgd20", source="ab12")
    assert _only("transfer") != _only("transfer", source="cd34")


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Case)])
def test_key_changes_with_every_field(field):
    kept = getattr(CASE, field)
    other = kept + "x" if isinstance(kept, str) else kept + 1
    changed = dataclasses.replace(CASE, **{field: other})
    assert changed.key(DIGEST)[-8:] != CASE.key(DIGEST)[-8:]


def test_key_changes_with_the_network_and_with_nothing_else():
    assert CASE.key("1" * 64) != CASE.key(DIGEST)
    again = Case(**CASE.as_dict())
    assert again.key(DIGEST) == CASE.key(DIGEST)


def test_another_precision_is_another_case_and_says_so_in_its_name():
    names = ("clean", "pgd20x5", "apgd-t")
    fp32, tf32 = _read(*names), _read(*names, precision="tf32")
    assert [c.attack for c in tf32] == ["none-tf32", "pgd20x5-tf32", "apgd-t-tf32"]
    assert _read(*names, precision="fp32") == fp32
    for one, other in zip(fp32, tf32, strict=True):
        assert other.as_dict() == one.as_dict() | {"precision": "tf32"}
        assert one.key(DIGEST)[-8:] != other.key(DIGEST)[-8:]


def test_keys_are_frozen():
    """Kept evaluations are found by them: a change here makes all of them anew."""
    assert CASE.key(DIGEST) == "pgd20-1ab7c072"
    clean = Case("clean", 0, 1, "linf", 0.0, 0.0, 10_000)
    assert clean.key(DIGEST) == "none-e884488f"
    transfer = Case("transfer", 0, 1, "l2", 0.5, 0.125, 100, 3, "ab")
    assert transfer.key(DIGEST) == "transfer-b7fe22bb"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "pg20",
            {},
            r"unknown attack 'pg20'; did you mean pgd\? \(known: all,",
        ),
        ("apgd", {}, "did you mean pgd or apgd-t or apgd-ce"),
        ("PGD20", {}, "unknown attack 'PGD20'; known: all, "),
        ("", {}, "unknown attack ''"),
        ("pgd-20", {}, "unknown attack 'pgd-20'"),
        ("pgd", {}, "pgd needs its number of steps, at least 1: pgd20"),
        ("pgd0", {}, "pgd needs its number of steps, at least 1"),
        ("cw0", {}, "cw needs its number of steps, at least 1"),
        ("square0", {}, "square needs its number"),
        ("fgsm", {"norm": "l2"}, "fgsm is an attack inside linf, not l2; pgd1 is"),
        ("pgd20@0", {}, "pgd20@0 needs a radius above 0: name one with --epsilon"),
        ("pgd20", {"epsilons": [0.0]}, "pgd20 needs a radius above 0"),
        ("pgd20", {"norm": "l2"}, "needs a radius above 0: name one with --epsilon"),
        ("pgd20@8", {}, r"must be in \[0, 1\].*got 8; did you mean 8/255\?"),
        ("pgd20", {"epsilons": [8.0]}, r"got 8; did you mean 8/255\?"),
        ("cw@128", {"norm": "l2"}, r"in \[0, 10\].*l2.*did you mean 128/255\?"),
        ("pgd20@-0.1", {}, r"must be in \[0, 1\].*got -0.1$"),
        ("pgd20@nan", {}, r"must be in \[0, 1\].*got nan"),
        ("pgd20@", {}, r"must be a number or a fraction \(8/255\), got ''"),
        ("pgd20@8/0", {}, "must be a number or a fraction"),
        (
            "transfer",
            {"source": ""},
            "transfer needs the run to attack.*--from",
        ),
    ],
)
def test_a_name_that_cannot_be_used_says_why(name, options, message):
    with pytest.raises(UserError, match=message):
        _read(name, **options)


def test_a_run_without_a_radius_needs_one_for_every_attack():
    spec = RunSpec(epsilon=0.0)
    assert _only("clean", spec=spec).epsilon == 0
    for kind in set(ATTACKS) - {"clean"}:
        with pytest.raises(UserError, match="needs a radius above 0"):
            _read(_shortest(kind), spec=spec)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_autoattack_of_fewer_than_four_classes_is_named_by_the_stages_it_has(norm):
    options = {"norm": norm, "epsilons": [0.5]}
    for n_classes in (0, 4, 10):
        assert _only("autoattack", n_classes=n_classes, **options).kind == "autoattack"
    for n_classes in (2, 3):
        case = _only("autoattack", n_classes=n_classes, **options)
        assert case.attack == "apgd-ce+fab-t+square"
        assert case == _only("apgd-ce+fab-t+square", **options)
        assert _only("autoattack@0.5", n_classes=n_classes, norm=norm) == case
        assert _only("apgd-t", n_classes=n_classes, **options).kind == "apgd-t"
        many, few = (
            [case.kind for case in _read("all", n_classes=n, **options)]
            for n in (4, n_classes)
        )
        many[many.index("autoattack")] = "apgd-ce+fab-t+square"
        many.remove("apgd-t")
        assert few == many
