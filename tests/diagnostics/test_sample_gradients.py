"""Gradients of single examples against closed forms and a loop of autograd."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from made_up_views import ATTACK, assert_watching_changes_nothing, view_of
from torch import nn
from toy_problems import batch, conv_net
from training_helpers import digits, digits_net

from rofit.diagnostics import sample_gradients
from rofit.diagnostics.sample_gradients import SampleGradients, gradient_norms
from rofit.store.runs import read_rows

METRICS = tuple(SampleGradients.columns)


def _soft(n, n_classes=3, seed=0):
    """Return float64 label distributions, far from one-hot and from uniform."""
    stream = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(n, n_classes, generator=stream, dtype=torch.float64)
    return logits.softmax(dim=1)


def _slow(net, x, soft):
    """Return the norms of one image at a time: differentiated, not by p - t."""
    net = deepcopy(net).eval()
    norms = {metric: [] for metric in METRICS}
    for one, label in zip(x, soft, strict=True):
        one = one[None].clone().requires_grad_(True)
        logits = net(one)
        loss = -(label * logits.log_softmax(dim=1)).sum()
        inputs = [logits, one, *net.parameters()]
        of_logits, of_input, *of_weights = torch.autograd.grad(loss, inputs)
        squares = sum(g * g for w in of_weights for g in w.flatten().tolist())
        norms["sample_gradient_norm"].append(squares**0.5)
        norms["logit_gradient_norm"].append(of_logits.norm().item())
        norms["input_gradient_l1"].append(of_input.norm(p=1).item())
        norms["input_gradient_l2"].append(of_input.norm(p=2).item())
    return norms


def _assert_equal(actual, slow, rel=1e-11):
    assert actual.keys() == slow.keys()
    for metric, values in slow.items():
        assert actual[metric].tolist() == pytest.approx(values, rel=rel), metric


def _view(assigned=None, **options):
    """Return a view whose method assigns the given labels, or others."""
    view = view_of(**options)
    y = view.splits["train"].y
    soft = torch.eye(3)[y] if assigned is None else assigned
    return replace(view, labels=lambda index: soft[index])


def _means(rows):
    """Return (attack, labels, metric) -> value."""
    keys = [(r["attack"], r["labels"], r["metric"]) for r in rows]
    assert len(set(keys)) == len(keys)
    return dict(zip(keys, (row["value"] for row in rows), strict=True))


def test_norms_of_a_linear_softmax_model_are_the_closed_form():
    """grad_W = (p - t) x^T, grad_b = p - t, grad_x = W^T (p - t)."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(32, 3)).double()
    (x, _), t = batch(5), _soft(5)
    (norms,) = gradient_norms(net, x, [t])
    residual = net(x).softmax(dim=1).detach() - t
    of_input = residual @ net[1].weight.detach()
    length = residual.norm(dim=1)
    closed = {
        "sample_gradient_norm": length * (x.flatten(1).square().sum(1) + 1).sqrt(),
        "logit_gradient_norm": length,
        "input_gradient_l1": of_input.abs().sum(dim=1),
        "input_gradient_l2": of_input.norm(dim=1),
    }
    _assert_equal(norms, {k: v.tolist() for k, v in closed.items()}, rel=1e-13)


@pytest.mark.parametrize("chunk", [1, 4, 32])
def test_norms_equal_a_loop_over_images(chunk, monkeypatch):
    monkeypatch.setitem(sample_gradients.LARGEST_CHUNK, "cpu", chunk)
    net, (x, y) = conv_net(), batch(9)
    kinds = [torch.eye(3).double()[y], _soft(9)]
    for norms, soft in zip(gradient_norms(net, x, kinds), kinds, strict=True):
        _assert_equal(norms, _slow(net, x, soft))


@pytest.mark.parametrize(
    ("name", "sizes"), [("preact_tiny", {"width": 8}), ("wrn_10_1", {})]
)
def test_norms_in_fp32_equal_those_in_float64(name, sizes):
    """Tolerance: fp32 through some ten layers, of images whose loss is not tiny."""
    net = digits_net(name, steps=3, **sizes)
    x, y = (tensor[:6] for tensor in digits())
    soft = 0.7 * torch.eye(10)[y] + 0.03
    (norms,) = gradient_norms(net, x, [soft])
    _assert_equal(norms, _slow(net.double(), x.double(), soft.double()), rel=2e-4)


@pytest.mark.parametrize(
    ("budget", "chunk"), [(1, 1), (4 * 792, 4), (4 * 792 - 1, 3), (2**40, 32)]
)
def test_gradients_in_memory_at_a_time_stay_within_the_budget(
    budget, chunk, monkeypatch
):
    """The 99 float64 weights of the linear net take 792 bytes an image."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(32, 3)).double()
    chunk_sizes, vmap = [], torch.func.vmap

    def spy(of, chunk_size):
        chunk_sizes.append(chunk_size)
        return vmap(of, chunk_size=chunk_size)

    monkeypatch.setitem(sample_gradients.BYTES, "cpu", budget)
    monkeypatch.setattr(sample_gradients, "vmap", spy)
    gradient_norms(net, batch(2)[0], [_soft(2)])
    assert chunk_sizes == [chunk]


def test_means_are_of_clean_and_attacked_images_and_of_both_kinds_of_labels():
    """The slow twin attacks by itself; the view's net is in train mode."""
    assigned = _soft(20)
    view = _view(assigned)
    measured = SampleGradients().measure(view)
    y = view.splits["train"].y
    for attack, x in (
        ("none", view.clean("train", 20)),
        (ATTACK.name, view.adversarial("train", 20)),
    ):
        for kind, soft in (("given", torch.eye(3).double()[y]), ("assigned", assigned)):
            for metric, values in _slow(view.model, x, soft).items():
                value = _means(measured.rows)[attack, kind, metric]
                assert value == pytest.approx(sum(values) / 20, rel=1e-11)
    assert len(measured.rows) == 2 * 2 * 4
    assert {(r["split"], r["n"]) for r in measured.rows} == {("train", 20)}


def test_rows_are_the_means_of_the_samples():
    measured = SampleGradients().measure(_view(_soft(20)))
    samples = measured.samples
    assert {len(column) for column in samples.values()} == {2 * 2 * 20}
    assert samples["position"].tolist() == [*range(20)] * 4
    for (attack, kind, metric), value in _means(measured.rows).items():
        chosen = samples["attacked"] == (attack != "none")
        chosen &= samples["assigned"] == (kind == "assigned")
        assert chosen.sum() == 20
        assert samples[metric][chosen].mean().item() == pytest.approx(value, rel=1e-13)


def test_labels_that_are_the_given_ones_are_measured_once():
    measured = SampleGradients().measure(_view())
    assert {row["labels"] for row in measured.rows} == {"given"}
    assert not measured.samples["assigned"].any()
    assert len(measured.rows) == 2 * 4 and len(measured.samples["position"]) == 2 * 20


def test_only_the_first_images_are_measured(monkeypatch):
    whole = SampleGradients().measure(_view(_soft(20))).samples
    monkeypatch.setattr(SampleGradients, "n", 7)
    first = SampleGradients().measure(_view(_soft(20))).samples
    for name, column in first.items():
        assert torch.allclose(column, whole[name][whole["position"] < 7], rtol=1e-12)


def test_measuring_changes_neither_weights_nor_modes_nor_gradients():
    net, (x, y) = conv_net(), batch(4)
    net[1].eval()
    before = deepcopy(net.state_dict())
    gradient_norms(net, x, [torch.eye(3).double()[y]])
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
    assert [m.training for m in net] == [True, False, True, True, True]


def test_watching_changes_nothing(smoke_spec, tmp_path, monkeypatch):
    """Smoothed labels are other than the given; 128 images are all there are."""
    spec = smoke_spec(method="label_smoothing")
    folder = assert_watching_changes_nothing(
        "sample_gradients", SampleGradients, spec, tmp_path, monkeypatch
    )
    rows = [r for r in read_rows(folder.path) if r["metric"] in METRICS]
    for epoch in (1, 2):
        means = _means([row for row in rows if row["epoch"] == epoch])
        assert len(means) == 2 * 2 * 4
    assert {row["n"] for row in rows} == {128}
