"""What changes between epochs: averages of weights, and IKL's weights of classes."""

from copy import deepcopy

import pytest
import torch
from slow_pairs import CLOSE, EARLY, EPOCHS, assert_near, assert_same_state, make_steps


def test_classes_are_weighed_by_what_was_predicted_of_them_an_epoch_before(pair):
    """IKL: two epochs of three steps; the second's weights are no longer uniform."""
    run, slow = pair("ikl", epoch=EARLY)
    make_steps(run, slow)
    assert (slow.table == slow.table[0, 0]).all() and slow.sums.sum() > 0
    run.epoch = EARLY + 1
    run.method.begin_epoch(run.epoch, EPOCHS)
    slow.begin_epoch(run.epoch)
    assert slow.table.amax(dim=1).max() > 1.05 * slow.table.amin()
    assert_near(run.method.labels.means, slow.table, CLOSE, "means of classes")
    make_steps(run, slow)
    assert_same_state(run.model, slow.net, CLOSE, "trained")
    assert_near(run.method.labels.sums, slow.sums, CLOSE, "sums of the second epoch")


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

    make_steps(run, slow)
    after(6)  # swa_start is 0.7
    assert_same_state(network, run.model, 0.0, "copied")
    for epoch in (7, 8):
        make_steps(run, slow)
        weights.append([p.detach().clone() for p in run.model.parameters()])
        after(epoch)
        mean = [sum(copies) / len(weights) for copies in zip(*weights, strict=True)]
        for mine, expected in zip(network.parameters(), mean, strict=True):
            assert_near(mine, expected, 1e-14, "mean of weights")
        state = network.state_dict()
        for key, expected in _statistics(network, batches).items():
            assert_near(state[key], expected, 1e-12, key)
    assert not network.training
