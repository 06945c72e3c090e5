"""Files with the keys and nesting of published code give the logits of that code."""

from collections import OrderedDict

import pytest
import torch
from imported_files import MEAN, STD, brought_in, same_function
from their_networks import (
    GowalPreActResNet,
    GowalWideResNet,
    Normalised,
    PreActResNet,
    ResNet,
    WideResNet,
    settled,
)
from torch import nn

pytestmark = pytest.mark.usefixtures("toys")
ACCURACIES = {"test_robust_acc": 0.5, "test_acc": 0.1, "test_loss": 1.2}


def _prefixed(prefix, net):
    return OrderedDict((prefix + k, v) for k, v in net.state_dict().items())


def _optimizer(net):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for value in net.parameters():
        value.grad = torch.zeros_like(value)
    optimizer.step()
    return optimizer.state_dict()


def _rice(net):
    best = {"state_dict": net.state_dict(), **ACCURACIES}
    return best, net, "robust_overfitting", (MEAN, STD)


def _awp(net):
    best = {"state_dict": _prefixed("module.", net), **ACCURACIES}
    return best, net, "robust_overfitting", (MEAN, STD)


def _epoch_of_rice(net):
    return net.state_dict(), net, "robust_overfitting", (MEAN, STD)


def _sgls(net):
    state = {"epoch": 99, "state_dict": net.state_dict(), "best_prec1": 52.3}
    return state | {"optim_dict": _optimizer(net)}, net, "sgls", None


def _trades(net):
    return net.state_dict(), net, "trades", None


def _bare(net):
    return _prefixed("module.", net), net, "state_dict", None


def _kd_swa(net):
    averaged = Normalised(settled(type(net)(), seed=5), MEAN, STD, module="normalize")
    plain = Normalised(net, MEAN, STD, module="normalize")
    state = {"best_sa": 82.0, "best_ra": 52.0, "epoch": 120, "result": {"test_sa": []}}
    state |= {"state_dict": plain.state_dict(), "optimizer": _optimizer(net)}
    state |= {"swa_state_dict": averaged.state_dict(), "swa_n": 4, "scheduler": {}}
    return state, averaged, "kd_swa", None


def _adr(net):
    averaged = settled(type(net)(), seed=5)
    state = {"state_dict": net.state_dict(), "optimizer": _optimizer(net), "epoch": 3}
    return state | {"state_dict_ema": averaged.state_dict()}, averaged, "adr", None


def _mair(net):
    wrapped = _prefixed("model.module.", net)
    buffers = {"mean": torch.tensor(MEAN), "std": torch.tensor(STD)}
    rmodel = {"n_classes": torch.tensor(10)} | buffers | wrapped
    state = {"rmodel": rmodel, "accumulated_epoch": 7, "optimizer": _optimizer(net)}
    return state, net, "mair", None


def _mair_normalised(net):
    inner = nn.Sequential(Normalised(nn.Identity(), MEAN, STD), net)
    del inner[0].net
    state = {"n_classes": torch.tensor(10)} | _prefixed("model.", inner)
    return {"rmodel": state}, net, "mair", (MEAN, STD)


def _robustness(net):
    names = ("new_mean", "new_std")
    outer = Normalised(net, MEAN, STD, names, module="normalizer", inner="model")
    state = _prefixed("module.", outer)
    for key, value in outer.state_dict().items():
        copy = key.replace("normalizer.", "normalize.")
        state[f"module.attacker.{copy}"] = value.clone()
    for key in names:
        shape = (3, 1, 1)
        for place in ("normalizer", "attacker.normalize"):
            state[f"module.{place}.{key}"] = state[f"module.{place}.{key}"].view(shape)
    whole = {"model": state, "optimizer": _optimizer(net), "schedule": None}
    return whole | {"epoch": 150, "amp": None}, outer, "robustness", None


def _robustbench(net):
    outer = Normalised(net, MEAN, STD, ("mu", "sigma"))
    shaped = outer.state_dict()
    for key in ("mu", "sigma"):
        shaped[key] = shaped[key].view(1, 3, 1, 1)
    return {"state_dict": shaped}, outer, "robustbench", None


def _robustbench_module(net):
    outer = Normalised(net, MEAN, STD, module="normalize", inner="model")
    return outer.state_dict(), outer, "robustbench", None


def _gowal(net):
    return net.state_dict(), net, "gowal", None


def _wang(net):
    averaged = type(net)(mean=MEAN, std=STD)
    state = {
        "model_state_dict": _prefixed("module.0.", net),
        "unaveraged_model_state_dict": _prefixed("module.0.", settled(averaged, 8)),
    }
    return state, net, "gowal", None


def _hat(net):
    return {"model_state_dict": _prefixed("module.0.", net)}, net, "hat", None


def _andriushchenko(net):
    other = settled(PreActResNet(last_bn=False, raw=True), seed=3)
    state = {"last": net.state_dict(), "best": other.state_dict()}
    return state, net, "understanding_fast_at", None


def _fast_at(net):
    return net.state_dict(), net, "fast_at_benchmark", None


def _lightning(net):
    state = {f"model.{k}": v for k, v in net.state_dict().items()}
    about = {"epoch": 9, "global_step": 70, "pytorch-lightning_version": "2.4.0"}
    hyper = {"hyper_parameters": {"lr": 0.1}, "optimizer_states": [_optimizer(net)]}
    return about | {"state_dict": state} | hyper, net, "lightning", None


def _averaged_model(net):
    wrapped = torch.optim.swa_utils.AveragedModel(net)
    return wrapped.state_dict(), net, "state_dict", None


def _compiled_in_parallel(net):
    return _prefixed("module._orig_mod.", net), net, "state_dict", None


def _gowal_wide():
    return GowalWideResNet(mean=MEAN, std=STD)


CASES = {
    "rice": (_rice, PreActResNet, "preact_resnet18"),
    "rice epoch": (_epoch_of_rice, PreActResNet, "preact_resnet18"),
    "rice wide": (_rice, WideResNet, "wrn_10_2"),
    "awp": (_awp, PreActResNet, "preact_resnet18"),
    "awp wide": (_awp, WideResNet, "wrn_10_2"),
    "sgls": (_sgls, ResNet, "resnet18"),
    "sat wide": (_sgls, WideResNet, "wrn_10_2"),
    "trades": (_trades, lambda: WideResNet(sub_block=True), "wrn_10_2"),
    "trades deep": (_trades, lambda: WideResNet(16, 1, sub_block=True), "wrn_16_1"),
    "mart resnet": (_bare, ResNet, "resnet18"),
    "memorization": (_bare, WideResNet, "wrn_10_2"),
    "kd_swa": (_kd_swa, PreActResNet, "preact_resnet18"),
    "kd_swa wide": (_kd_swa, WideResNet, "wrn_10_2"),
    "adr": (_adr, PreActResNet, "preact_resnet18"),
    "mair": (_mair, lambda: PreActResNet(last_bn=False), "preact_resnet18"),
    "mair normalised": (_mair_normalised, WideResNet, "wrn_10_2"),
    "robustness": (_robustness, ResNet, "resnet18"),
    "robustbench": (_robustbench, WideResNet, "wrn_10_2"),
    "robustbench preact": (_robustbench, PreActResNet, "preact_resnet18"),
    "robustbench module": (_robustbench_module, ResNet, "resnet18"),
    "gowal": (_gowal, _gowal_wide, "wrn_10_2"),
    "rade": (
        _gowal,
        lambda: GowalPreActResNet(mean=MEAN, std=STD),
        "preact_resnet18",
    ),
    "wang": (_wang, _gowal_wide, "wrn_10_2"),
    "hat": (_hat, ResNet, "resnet18"),
    "andriushchenko": (
        _andriushchenko,
        lambda: PreActResNet(last_bn=False, raw=True),
        "preact_resnet18",
    ),
    "fast_at": (_fast_at, lambda: PreActResNet(last_bn=False), "preact_resnet18"),
    "lightning": (_lightning, ResNet, "resnet18"),
    "averaged": (_averaged_model, WideResNet, "wrn_10_2"),
    "compiled": (_compiled_in_parallel, WideResNet, "wrn_10_2"),
}


@pytest.mark.parametrize("name", CASES)
def test_imported_network_has_the_logits_of_its_own_code(name, tmp_path):
    layout, make, model = CASES[name]
    loaded, network, whose, constants = layout(settled(make()))
    run, checkpoint = brought_in(tmp_path / "model.pth", loaded, dataset="cifar10")
    same_function(checkpoint, network.eval(), *(constants or (None, None)))
    assert run.origin.layout.name == run.spec.method == whose
    assert run.spec.model == model
