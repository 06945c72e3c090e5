"""Every method builds, assigns distributions, and descends through the logits only."""

from dataclasses import FrozenInstanceError, asdict, fields

import pytest
import torch
from rofit.figures._style import METHODS as OURS
from toy_problems import batch, conv_net, linear_net

from rofit.attacks.geometry import start
from rofit.attacks.pgd import PGD
from rofit.losses import cross_entropy, soft_cross_entropy
from rofit.methods import METHODS, Context, find_kind, make_params
from rofit.settings.knobs import knob_types
from rofit.settings.spec import RunSpec
from rofit.settings.threat import ThreatModel

K = 4
Y = torch.tensor([2, 0, 3, 1, 2, 0, 1])
INDEX = torch.tensor([6, 2, 0])
THREAT = ThreatModel("linf", 0.1)
ATTACK = PGD(THREAT, 5, 0.05)
CHOOSES_LABELS = [
    name for name in METHODS if "attack_labels" in knob_types(METHODS[name].Params)
]
EVERY = [(name, {}) for name in METHODS] + [
    ("label_smoothing", {"rho": 1.0}),
    ("sglr", {"r": 0.0}),
    ("sglr", {"clean_share": 0.0, "label_momentum": 0.0}),
]
every = pytest.mark.parametrize(("name", "settings"), EVERY)


def _build(name, settings, *, y=Y, n_classes=K, epoch=9):
    """Return the method in the last of ten epochs, so that labels are refined."""
    kind = find_kind(RunSpec(method=name))
    net = conv_net(n_classes=n_classes)
    teachers = {name: conv_net(n_classes=n_classes).eval() for name in kind.teachers}
    given = Context(ATTACK, y, n_classes, net, teachers)
    method = kind.build(make_params(kind, settings), given)
    method.begin_epoch(epoch, 10)
    return method


def _logits(n, seed=0, k=K):
    stream = torch.Generator().manual_seed(seed)
    return 3 * torch.randn((n, k), generator=stream)


def _is_distribution(soft, n):
    assert soft.shape == (n, K) and soft.is_floating_point()
    assert (soft >= 0).all()
    assert torch.allclose(soft.sum(1), torch.ones(n), atol=1e-6)  # float32


@pytest.mark.parametrize("name", METHODS)
def test_method_is_the_file_of_its_name_with_frozen_parameters(name):
    module = METHODS[name]
    assert module.__name__ == f"rofit.methods.{name}" and module.__doc__
    params = module.Params()
    for field in fields(params):
        with pytest.raises(FrozenInstanceError):
            setattr(params, field.name, field.default)


TABLE = {"label_momentum": 0.9, "clean_share": 0.2, "start": 0.445}
SGLS = TABLE | {"attack_labels": "given"}
AWP = {"awp_gamma": 0.01, "awp_start": 0.0}
EMA, SWA = {"ema_decay": 0.995}, {"swa_start": 0.275}
KD = {"kd_temperature": 2.0, "kd_given": 0.3, "kd_clean": 0.1, "kd_robust": 0.6}
ADR = {
    "adr_decay": 0.995,
    "adr_hot": 2.5,
    "adr_cool": 2.0,
    "adr_first": 0.7,
    "adr_last": 0.95,
    "attack_labels": "assigned",
}
ADR_WITH_AWP = {"adr_cool": 1.5, "adr_last": 0.85, "awp_gamma": 0.005, "awp_start": 0.0}
DEFAULTS = {
    "standard": {},
    "pgd_at": {},
    "label_smoothing": {"rho": 0.1, "attack_labels": "given"},
    "sgls": SGLS,
    "sglr": SGLS | {"r": 0.8},
    "trades": {"beta": 6.0},
    "mart": {"beta": 5.0},
    "sce": {"sce_forward": 0.1, "sce_reverse": 1.0},
    "fast_at": {"reach": 1.25},
    "hat": {"beta": 2.5, "hat_weight": 0.5, "hat_reach": 2.0},
    "nuat": {"nuat_weight": 4.5, "nuat_full": 0.9, "nuat_noise": 0.5},
    "fgsm_pgi": {
        **{"pgi_decay": 0.3, "pgi_reset": 0.3637},
        **{"pgi_weight": 10.0, "pgi_given": 0.6},
    },
    "n_fgsm": {"nfgsm_noise": 2.0, "nfgsm_step": 1.0},
    "awp": AWP,
    "trades_awp": {"beta": 6.0, "awp_gamma": 0.005, "awp_start": 0.045},
    "mlcat_ls": {"mlcat_floor": 1.5, "mlcat_detach": True},
    "mlcat_wp": {"wp_floor": 1.5, "wp_gamma": 0.01, "wp_ascents": 10},
    "weight_ema": EMA,
    "swa": SWA,
    "kd": KD,
    "kd_swa": KD | SWA,
    "sat": {"beta": 6.0, "sat_momentum": 0.9, "sat_start": 0.69},
    "te": {"te_momentum": 0.9, "te_weight": 300.0, "te_start": 0.445, "te_full": 0.745},
    "adr": ADR,
    "adr_ema": ADR | EMA,
    "adr_awp": ADR | ADR_WITH_AWP,
    "adr_ema_awp": ADR | ADR_WITH_AWP | EMA,
    "trades_sgls": {"beta": 6.0} | TABLE,
    "mart_sgls": {"beta": 5.0} | TABLE,
    "rslad": {"rslad_share": 5 / 6},
    "ard": {"ard_temperature": 30.0, "ard_share": 1.0},
    "rebat": {"rebat_beta": 1.0, "rebat_decay": 0.999, "rebat_start": 0.525},
    "ikl": {"ikl_distance": 20.0, "ikl_entropy": 4.0, "ikl_temperature": 4.0},
}


def test_default_parameters_of_every_method_of_ours_are_written_down():
    assert DEFAULTS.keys() == OURS.keys()


@pytest.mark.parametrize("name", DEFAULTS)
def test_default_parameters_never_change(name):
    """None may ever change: ids leave them out, so old names would mean new runs."""
    assert asdict(METHODS[name].Params()) == DEFAULTS[name]


@every
@pytest.mark.parametrize("epoch", [0, 9])
def test_labels_are_distributions_before_and_after_they_are_refined(
    name, settings, epoch
):
    labels = _build(name, settings, epoch=epoch).labels
    y = Y[INDEX]
    _is_distribution(labels.current(INDEX, y), 3)
    for seed in range(3):
        clean = _logits(3, seed + 10) if labels.reads_clean else None
        _is_distribution(labels.refine(INDEX, y, _logits(3, seed), clean), 3)


@every
def test_label_state_survives_a_round_trip(name, settings):
    one, other = _build(name, settings).labels, _build(name, settings).labels
    y = Y[INDEX]
    one.refine(INDEX, y, _logits(3), _logits(3, 1))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one.current(INDEX, y), other.current(INDEX, y))


@every
def test_loss_is_finite_an_example_each_and_flows_through_the_logits_only(
    name, settings
):
    method = _build(name, settings)
    logits = _logits(3).requires_grad_()
    clean = _logits(3, 1).requires_grad_()
    soft = method.labels.refine(INDEX, Y[INDEX], logits, clean)
    assert not soft.requires_grad
    terms = method.terms(logits, clean, soft, Y[INDEX], _logits(3, 2))
    assert terms
    for term in terms.values():
        assert term.shape == (3,) and term.isfinite().all()
    total = sum(terms.values())
    (gradient,) = torch.autograd.grad(total.sum(), logits, retain_graph=True)
    assert gradient.isfinite().all() and (gradient != 0).any()
    for row in range(3):  # no example's loss looks at another's logits
        (own,) = torch.autograd.grad(total[row], logits, retain_graph=True)
        assert (own[[i for i in range(3) if i != row]] == 0).all()


@every
def test_loss_is_finite_at_logits_of_a_diverging_network(name, settings):
    method = _build(name, settings)
    logits = torch.tensor([[1e4, -1e4, 0, 0], [0, 0, 0, 1e4], [1e4] * 4])
    soft = method.labels.refine(INDEX, Y[INDEX], logits, logits)
    for term in method.terms(logits, logits, soft, Y[INDEX], logits).values():
        assert term.isfinite().all()


def _two_classes():
    """Return a linear net with logits (0, <w, x>), w, inputs, classes and starts."""
    x, _ = batch(6, channels=1)
    stream = torch.Generator().manual_seed(0)
    w = torch.randn(x[0].shape, generator=stream, dtype=torch.float64)
    begin = start(THREAT, x.shape, stream).double()
    return linear_net(w), w, x, torch.tensor([0, 1, 1, 0, 1, 0]), begin


def _corner(x, w, y):
    """Return the worst case for classes y: away from y's side of the plane."""
    return (x + 0.1 * (1 - 2 * y).view(-1, 1, 1, 1) * w.sign()).clamp(0, 1)


def test_attack_on_given_labels_looks_at_no_table():
    net, w, x, y, begin = _two_classes()
    method = _build("sgls", {}, y=y, n_classes=2)
    method.labels.average = method.labels.average.flip(1)
    x_adv = method.maximise(net, x, y, torch.arange(6), begin)
    assert torch.allclose(x_adv, _corner(x, w, y), atol=1e-12)


@pytest.mark.parametrize(("name", "settings"), [("sgls", {}), ("sglr", {"r": 1.0})])
def test_attack_on_assigned_labels_attacks_the_tables_label(name, settings):
    net, w, x, y, begin = _two_classes()
    settings = settings | {"attack_labels": "assigned"}
    method = _build(name, settings, y=y, n_classes=2)
    turned = torch.tensor([True, False, True, True, False, False])
    table = method.labels.average
    method.labels.average = torch.where(turned[:, None], table.flip(1), table)
    order = torch.tensor([5, 0, 3, 1, 4, 2])  # positions are not places in the batch
    x_adv = method.maximise(net, x[order], y[order], order, begin)
    assigned = torch.where(turned, 1 - y, y)[order]
    assert torch.allclose(x_adv, _corner(x[order], w, assigned), atol=1e-12)


@pytest.mark.parametrize("choice", ["given", "assigned"])
@pytest.mark.parametrize("name", CHOOSES_LABELS)
def test_inner_maximisation_is_pgd_on_the_chosen_labels(name, choice):
    net, _, x, y, begin = _two_classes()
    method = _build(name, {"attack_labels": choice}, y=y, n_classes=2)
    index = torch.arange(6)
    method.labels.refine(index, y, _logits(6, k=2), _logits(6, 1, k=2))
    soft = method.labels.current(index, y)
    loss_and_labels = (
        (cross_entropy, y) if choice == "given" else (soft_cross_entropy, soft)
    )
    expected = ATTACK(net, x, *loss_and_labels, begin)
    assert torch.equal(method.maximise(net, x, y, index, begin), expected)


def test_standard_training_sees_the_clean_images():
    net, _, x, y, begin = _two_classes()
    method = _build("standard", {}, y=y, n_classes=2)
    assert method.inner.attack is None
    assert method.maximise(net, x, y, torch.arange(6), begin) is x
