"""Loss landscapes against slow twins in float64 that place every weight by hand."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from made_up_views import ATTACK, assert_watching_changes_nothing, view_of
from toy_problems import batch, conv_net, linear_net

from rofit.attacks import geometry
from rofit.diagnostics import landscape
from rofit.diagnostics.landscape import (
    Landscape,
    filter_normalised,
    input_losses,
)
from rofit.seeding import generator
from rofit.store.runs import read_rows

N = 12  # test images of the view
A = [-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0]


def _loss(net, x, y):
    """Return the mean of -log p_y."""
    logits = net(x)
    return -logits.log_softmax(dim=1)[torch.arange(len(y)), y].mean()


def _pgd(net, x, y, start, *, steps=5):
    """Return what five steps inside the l-infinity ball of the view's attack find."""
    delta = start
    for _ in range(steps):
        x_adv = (x + delta).clamp(0, 1).requires_grad_(True)
        (up,) = torch.autograd.grad(_loss(net, x_adv, y), x_adv)
        moved = x_adv.detach() - x + ATTACK.step_size * up.sign()
        delta = moved.clamp(-ATTACK.threat.epsilon, ATTACK.threat.epsilon)
    return (x + delta).clamp(0, 1)


def _measured(view, metric):
    return [row for row in Landscape().measure(view).rows if row["metric"] == metric]


def _start_and_way(view):
    """Return the draws of the weight landscape, filter by filter."""
    x = view.clean("test", N)
    stream = generator(view.spec.seed, "diagnostics", "landscape", "starts")
    start = geometry.start(ATTACK.threat, x.shape, stream).double()
    stream = generator(view.spec.seed, "diagnostics", "landscape", "direction")
    way = {}
    for name in ("0.weight", "4.weight"):  # of conv_net; the rest has one dimension
        weight = view.model.get_parameter(name)
        way[name] = torch.randn(weight.shape, generator=stream).double()
        for drawn, own in zip(way[name], weight, strict=True):
            drawn *= (own.square().sum() / drawn.square().sum()).sqrt().item()
    return start, way


def test_weight_loss_is_that_of_a_twin_moved_and_attacked_anew_at_every_place():
    view = view_of()
    rows = _measured(view, "weight_loss")
    start, way = _start_and_way(view)
    x, y = view.clean("test", N), view.splits["test"].y
    assert [row["a"] for row in rows] == A
    for row in rows:
        twin = deepcopy(view.model).eval()
        for name, d in way.items():
            twin.get_parameter(name).data += row["a"] * d
        slow = _loss(twin, _pgd(twin, x, y, start), y).item()
        assert row["value"] == pytest.approx(slow, rel=1e-10)
        about = ("test", "pgd5", N)
        assert (row["split"], row["attack"], row["n"]) == about


def test_every_filter_of_the_direction_is_as_long_as_the_networks():
    net = conv_net()
    way = filter_normalised(net, torch.Generator().manual_seed(0))
    assert way.keys() == {"0.weight", "4.weight"}
    for name, d in way.items():
        weight = net.get_parameter(name)
        for drawn, own in zip(d, weight, strict=True):
            assert drawn.norm().item() == pytest.approx(own.norm().item(), rel=1e-13)
        cosine = torch.cosine_similarity(d.flatten(), weight.flatten(), dim=0)
        assert cosine.abs() < 0.5


def test_direction_follows_the_scale_of_each_filter_and_keeps_its_shape():
    """So epochs and methods of one seed are cut along the same Gaussian."""
    net, other = conv_net(), conv_net()
    with torch.no_grad():
        other[0].weight[1] *= 3
        other[0].weight[2] *= 0
    one, two = (
        filter_normalised(model, torch.Generator().manual_seed(0))
        for model in (net, other)
    )
    expected = one["0.weight"].clone()
    expected[1] *= 3
    expected[2] *= 0
    assert torch.allclose(two["0.weight"], expected, rtol=1e-13)
    assert torch.equal(two["4.weight"], one["4.weight"])


def test_landscapes_of_a_seed_are_the_same_at_every_epoch_and_others_for_others():
    def values(**options):
        return [row["value"] for row in Landscape().measure(view_of(**options)).rows]

    first = values(seed=1, epoch=1)
    torch.manual_seed(5)
    assert values(seed=1, epoch=2) == first
    other = values(seed=2, epoch=1)
    assert not set(other[49:]) & set(first[49:])
    assert sum(a != b for a, b in zip(other[:49], first[:49], strict=True)) == 42


def test_input_loss_is_that_of_images_placed_by_hand():
    view = view_of()
    rows = _measured(view, "input_loss")
    x, y = view.clean("test", N), view.splits["test"].y
    stream = generator(view.spec.seed, "diagnostics", "landscape", "signs")
    signs = torch.randint(2, x.shape, generator=stream)
    r = torch.where(signs == 1, 1.0, -1.0).double()
    twin = deepcopy(view.model).eval()
    leaf = x.clone().requires_grad_(True)
    g = torch.autograd.grad(_loss(twin, leaf, y), leaf)[0].sign()
    by_place = {(row["u"], row["v"]): row for row in rows}
    places = [-8, -16 / 3, -8 / 3, 0, 8 / 3, 16 / 3, 8]
    assert [*by_place] == [(u, v) for u in places for v in places]
    for (u, v), row in by_place.items():
        slow = _loss(twin, x + u * g / 255 + v * r / 255, y).item()
        assert row["value"] == pytest.approx(slow, rel=1e-12)
        about = ("test", "none", N)
        assert (row["split"], row["attack"], row["n"]) == about
    clean = _loss(twin, x, y).item()
    assert by_place[0, 0]["value"] == pytest.approx(clean, rel=1e-13)


def test_input_loss_of_a_linear_model_is_the_closed_form():
    """Logits (0, <w, x>): u moves the margin by u |w|_1 down, v by v <w, r>."""
    w = torch.linspace(-1, 2, 32).double().view(2, 4, 4) + 0.01
    x, y = batch(6, n_classes=2)
    r = torch.where(batch(6, seed=3)[0] > 0.5, 1.0, -1.0).double()
    losses = input_losses(linear_net(w), x, y, r)
    side = (2 * y - 1).double()
    for (u, v), value in losses.items():
        along = u / 255 * (-side) * w.abs().sum() + v / 255 * (w * r).sum((1, 2, 3))
        margin = side * ((w * x).sum(dim=(1, 2, 3)) + along)
        closed = torch.log1p(torch.exp(-margin)).mean().item()
        assert value == pytest.approx(closed, rel=1e-12)


def test_random_signs_are_plus_and_minus_one_and_balanced(monkeypatch):
    """Within five standard errors of fair, over 12 images of 32 values."""
    drawn = []
    monkeypatch.setattr(
        landscape, "input_losses", lambda net, x, y, signs: drawn.append(signs) or {}
    )
    Landscape().measure(view_of())
    (signs,) = drawn
    assert set(signs.flatten().tolist()) == {-1.0, 1.0}
    assert signs.shape == (N, 2, 4, 4)
    assert signs.mean().abs() < 5 / signs.numel() ** 0.5


def test_weights_buffers_modes_and_gradients_are_the_same_bit_for_bit():
    view = view_of()
    before = deepcopy(view.model.state_dict())
    own = [p.data_ptr() for p in view.model.parameters()]
    Landscape().measure(view)
    after = view.model.state_dict()
    assert all(torch.equal(value, before[key]) for key, value in after.items())
    assert [p.data_ptr() for p in view.model.parameters()] == own
    assert view.model.training
    assert all(p.grad is None and p.requires_grad for p in view.model.parameters())


def test_only_the_first_images_are_measured(monkeypatch):
    """An image more does not enter: the mean over five is that of a view of five."""
    monkeypatch.setattr(Landscape, "n", 5)
    view = view_of()
    rows = Landscape().measure(view).rows
    assert {row["n"] for row in rows} == {5}
    x, y = view.clean("test", 5), view.splits["test"].y[:5]
    middle = [r["value"] for r in rows if (r.get("u"), r.get("v")) == (0, 0)]
    slow = _loss(deepcopy(view.model).eval(), x, y).item()
    assert middle == [pytest.approx(slow, rel=1e-13)]


def test_attack_is_of_five_steps_whatever_the_evaluation_makes():
    view = view_of()
    longer = replace(view, attack=replace(ATTACK, steps=50))
    assert Landscape().measure(longer).rows == Landscape().measure(view).rows


def test_watching_changes_nothing(smoke_spec, tmp_path, monkeypatch):
    spec = smoke_spec()
    folder = assert_watching_changes_nothing(
        "landscape", Landscape, spec, tmp_path, monkeypatch
    )
    rows = [r for r in read_rows(folder.path) if r["metric"] in Landscape.columns]
    assert len(rows) == 2 * (49 + 9) and {r["n"] for r in rows} == {spec.test_size}


@pytest.mark.parametrize(("epochs", "due"), [(40, [20, 40]), (2, [1, 2]), (1, [1])])
def test_landscape_is_cut_in_the_middle_and_at_the_end(epochs, due):
    actual = [
        e for e in range(1, epochs + 1) if Landscape.when.due(e, range(1, epochs + 1))
    ]
    assert actual == due
