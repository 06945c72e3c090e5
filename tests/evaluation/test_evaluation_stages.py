"""The stages of an evaluation: their cost, what they refuse, batches of few sizes."""

import re
import sys

import pytest
import torch
from evaluated_digits import Sizes, digit_images, make_case, trained
from torch import nn

from rofit.errors import UserError
from rofit.evaluation.autoattack import ORDER
from rofit.evaluation.cases import ATTACKS, WITHOUT_DLR
from rofit.evaluation.stages import make_stages
from rofit.evaluation.wrappers import FewSizes


@pytest.mark.parametrize("kind", sorted(set(ATTACKS) - {"clean"}))
def test_passes_of_a_case_are_those_of_its_stages(kind):
    if kind in (*ORDER, "autoattack", WITHOUT_DLR):
        pytest.importorskip("pyautoattack")
    number = {"pgd": 20, "cw": 100, "square": 5000}.get(kind, 0)
    case = make_case(kind, number=number, restarts=5 if ATTACKS[kind].restarts else 1)
    stages = make_stages(case, nn.Identity(), n_classes=10, source=nn.Identity())
    cost = sum(stage.cost for stage in stages[1:])
    assert case.passes == pytest.approx(cost, rel=0.01)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kind", ["autoattack", "apgd-t"])
def test_fewer_than_four_classes_are_refused(kind, n_classes):
    message = f"{kind} needs at least 4 classes, got {n_classes}; use {WITHOUT_DLR}, "
    with pytest.raises(UserError, match=re.escape(message)):
        make_stages(make_case(kind), nn.Identity(), n_classes=n_classes)


def test_missing_library_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyautoattack", None)  # its import fails
    message = r"apgd-ce needs the package pyautoattack: pip install pyautoattack"
    with pytest.raises(UserError, match=message):
        make_stages(make_case("apgd-ce"), nn.Identity(), n_classes=10)


def test_network_whose_weights_could_be_written_to_is_refused():
    with pytest.raises(ValueError, match="no parameters that require gradients"):
        make_stages(make_case("fab-t"), nn.Linear(2, 10), n_classes=10)


def test_transfer_from_nowhere_is_refused():
    with pytest.raises(ValueError, match="transfer needs the network to attack"):
        make_stages(make_case("transfer"), nn.Identity(), n_classes=4)


@pytest.mark.parametrize("n", [0, 1, 3, 4, 9, 12, 13, 20])
def test_filled_batch_has_the_same_logits_and_input_gradients(n):
    net, x = Sizes(trained()), digit_images(n, dtype=torch.float64).x
    grads, logits = [], []
    for network in (net, FewSizes(net, 12)):
        at = x.clone().requires_grad_(True)
        logits.append(network(at))
        grads += torch.autograd.grad(logits[-1].square().sum(), at)
    assert torch.allclose(*logits, rtol=1e-12) and logits[1].shape == (n, 10)
    assert torch.allclose(*grads, rtol=1e-12) and grads[1].shape == x.shape
    sizes = {0: 0, 1: 1, 3: 4, 4: 4, 9: 12, 12: 12, 13: 13, 20: 20}
    assert net.sizes == [n, sizes[n]], "the next power of two, at most 12"
