"""An attack leaves everything as it found it: gradients, modes, statistics, draws."""

from copy import deepcopy

import pytest
import torch
from toy_problems import batch, conv_net

from rofit.attacks.geometry import into_ball, start
from rofit.attacks.pgd import PGD
from rofit.losses import cross_entropy
from rofit.modes import evaluating
from rofit.settings.threat import NORMS, ThreatModel

LINF = ThreatModel("linf", 0.1)


@pytest.fixture
def problem():
    """A net in train mode, images, classes and starts."""
    x, y = batch(6)
    begin = start(LINF, x.shape, torch.Generator().manual_seed(0)).double()
    return conv_net(), x, y, begin


def _run(problem, loss=cross_entropy, **settings):
    net, x, y, begin = problem
    attack = PGD(**{"threat": LINF, "steps": 3, "step_size": 0.05} | settings)
    return attack(net, x, loss, y, begin)


def _modes(net):
    return [module.training for module in net.modules()]


def _partly_frozen(net):
    net.train()
    net[1].eval()


MODES = {
    "train": torch.nn.Module.train,
    "eval": torch.nn.Module.eval,
    "partly frozen": _partly_frozen,
}


@pytest.mark.parametrize("bn", ["eval", "train"])
def test_no_parameters_gradient_is_touched(problem, bn):
    net = problem[0]
    first, *others = net.parameters()
    first.grad = torch.full_like(first, 7.0)
    weights = deepcopy([p.detach() for p in net.parameters()])
    _run(problem, bn=bn)
    assert (first.grad == 7).all()
    assert all(p.grad is None for p in others)
    assert all(p.requires_grad for p in net.parameters())
    pairs = zip(net.parameters(), weights, strict=True)
    assert all(torch.equal(p, before) for p, before in pairs)


@pytest.mark.parametrize("bn", ["eval", "train"])
@pytest.mark.parametrize("mode", MODES)
def test_mode_of_every_module_is_restored(problem, mode, bn):
    net = problem[0]
    MODES[mode](net)
    before = _modes(net)
    _run(problem, bn=bn)
    assert _modes(net) == before


@pytest.mark.parametrize("mode", MODES)
def test_modes_are_restored_also_when_the_attack_raises(problem, mode):
    net = problem[0]
    MODES[mode](net)
    before = _modes(net)

    def broken(logits, target):
        assert not any(_modes(net))
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        _run(problem, loss=broken)
    assert _modes(net) == before


def test_evaluating_restores_each_module_and_gives_the_model(problem):
    net = problem[0]
    _partly_frozen(net)
    before = _modes(net)
    with evaluating(net) as same:
        assert same is net and not any(_modes(net))
        net[0].train()  # what the block itself does is undone as well
    assert _modes(net) == before


def test_attack_in_eval_mode_moves_no_statistics(problem):
    before = deepcopy(problem[0].state_dict())
    _run(problem, bn="eval")
    for key, value in problem[0].state_dict().items():
        assert torch.equal(value, before[key]), key


def test_attack_in_train_mode_moves_statistics_with_every_step(problem):
    norm = problem[0][1]
    n_batches, mean = norm.num_batches_tracked.item(), norm.running_mean.clone()
    _run(problem, bn="train")
    assert norm.num_batches_tracked.item() == n_batches + 3
    assert not torch.equal(norm.running_mean, mean)


def test_attack_in_train_mode_uses_the_batchs_own_statistics(problem):
    net, x, y, begin = problem
    copy = deepcopy(net)
    copy[1].track_running_stats = False  # batch statistics in any mode
    copy[1].running_mean = copy[1].running_var = None
    there = _run((copy, x, y, begin), bn="eval")
    assert torch.allclose(_run(problem, bn="train"), there, atol=1e-12)
    assert not torch.allclose(_run(problem, bn="eval"), there, atol=1e-3)


def test_train_mode_means_the_mode_that_the_network_is_in(problem):
    problem[0].eval()
    assert torch.equal(_run(problem, bn="train"), _run(problem, bn="eval"))


@pytest.mark.parametrize("norm", NORMS)
def test_global_random_stream_is_untouched(problem, norm):
    before = torch.get_rng_state()
    _run(problem, threat=ThreatModel(norm, 0.1))
    start(ThreatModel(norm, 0.1), problem[1].shape, torch.Generator())
    assert torch.equal(torch.get_rng_state(), before)


def test_images_and_starts_are_not_written_to(problem):
    _, x, _, begin = problem
    before = x.clone(), begin.clone()
    x_adv = _run(problem)
    assert torch.equal(x, before[0]) and torch.equal(begin, before[1])
    assert x_adv.data_ptr() != x.data_ptr() and not x.requires_grad


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_result_is_detached(problem, steps):
    x_adv = _run(problem, steps=steps)
    assert not x_adv.requires_grad and x_adv.grad_fn is None


def test_attack_works_where_gradients_are_switched_off(problem):
    with torch.no_grad():
        quiet = _run(problem)
    assert torch.equal(quiet, _run(problem))


@pytest.mark.parametrize("norm", NORMS)
def test_no_steps_return_the_start_projected(problem, norm):
    net, x, y, begin = problem
    threat = ThreatModel(norm, 0.05)
    far = 10 * begin
    x_adv = _run((net, x, y, far), threat=threat, steps=0)
    assert torch.equal(x_adv, into_ball(threat, x, x + far))
    assert not torch.allclose(x_adv, x + far)


def test_attack_is_called_by_its_steps():
    assert PGD(LINF, 20, 0.01).name == "pgd20"


def test_unknown_batchnorm_mode_is_refused(problem):
    with pytest.raises(ValueError, match="bn"):
        _run(problem, bn="Eval")


def test_ball_of_radius_zero_costs_no_pass(problem):
    def never(logits, target):
        raise AssertionError("the network was asked")

    x_adv = _run(problem, loss=never, threat=ThreatModel("linf", 0.0))
    assert torch.equal(x_adv, problem[1])
