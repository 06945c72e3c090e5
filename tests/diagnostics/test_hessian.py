"""The largest eigenvalue against the full Hessian in float64."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from made_up_views import ATTACK, assert_watching_changes_nothing, view_of
from torch import nn
from torch.func import functional_call
from toy_problems import batch, conv_net

from rofit.attacks.pgd import PGD
from rofit.diagnostics import hessian
from rofit.diagnostics.hessian import Hessian, top_eigenvalue
from rofit.losses import cross_entropy
from rofit.store.runs import read_rows

METRIC = "hessian_top_eigenvalue"


def _eigenvalues(net, x, y):
    """Return all eigenvalues of the mean loss's full Hessian, eval mode, ascending."""
    net = deepcopy(net).eval()
    shapes = {name: p.shape for name, p in net.named_parameters()}
    point = torch.cat([p.detach().flatten() for p in net.parameters()])

    def loss(flat):
        tensors = flat.split([shape.numel() for shape in shapes.values()])
        weights = {
            name: tensor.view(shape)
            for (name, shape), tensor in zip(shapes.items(), tensors, strict=True)
        }
        logits = functional_call(net, weights, (x,))
        return -logits.log_softmax(dim=1)[torch.arange(len(y)), y].mean()

    # reverse mode twice: torch.func.hessian's forward mode warns as it scripts torch
    full = torch.func.jacrev(torch.func.grad(loss))(point)
    assert torch.allclose(full, full.T, atol=1e-12)
    return torch.linalg.eigvalsh((full + full.T) / 2)


def _largest(net, x, y):
    return _eigenvalues(net, x, y)[-1].item()


def _start(weights, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return [torch.randn(w.shape, generator=stream).to(w) for w in weights]


def _quadratic(eigenvalues, seed=0):
    """Return w^T A w / 2 at a random point w, for a symmetric A of such eigenvalues."""
    stream = torch.Generator().manual_seed(seed)
    n = len(eigenvalues)
    draw = torch.randn(n, n, generator=stream, dtype=torch.float64)
    basis = torch.linalg.qr(draw)[0]
    a = basis @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64)) @ basis.T
    w = torch.randn(n, generator=stream, dtype=torch.float64, requires_grad=True)
    return w @ a @ w / 2, [w]


def _exactly(monkeypatch):
    monkeypatch.setattr(hessian, "ITERATIONS", 100)
    monkeypatch.setattr(hessian, "TOLERANCE", 1e-13)


def _value(view):
    (row,) = Hessian().measure(view).rows
    assert row["metric"] == METRIC
    return row["value"]


@pytest.mark.parametrize("seed", range(3))
def test_eigenvalue_is_the_full_hessians_largest(seed, monkeypatch):
    _exactly(monkeypatch)
    net, (x, y) = conv_net(seed=seed).eval(), batch(12, seed=seed)
    weights = list(net.parameters())
    eigenvalue = top_eigenvalue(
        cross_entropy(net(x), y).mean(), weights, _start(weights)
    )
    assert eigenvalue == pytest.approx(_largest(net, x, y), rel=1e-9)


def test_measured_loss_is_of_fixed_adversaries_with_given_classes(monkeypatch):
    """The view's net is in train mode and has been attacked in eval mode."""
    _exactly(monkeypatch)
    view = view_of()
    x, y = view.adversarial("train", 20), view.splits["train"].y
    true = _largest(view.model, x, y)
    assert _value(view) == pytest.approx(true, rel=1e-9)
    clean = _largest(view.model, view.clean("train", 20), y)
    assert abs(clean / true - 1) > 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_twenty_products_err_by_little_and_never_upwards(seed):
    """Where power iteration fails: the smallest eigenvalue is about the opposite.

    Estimates are v^T H v of unit v; how far below they end is by experience.
    """
    view = view_of(seed=seed)
    x, y = view.adversarial("train", 20), view.splits["train"].y
    eigenvalues = _eigenvalues(view.model, x, y)
    true = eigenvalues[-1].item()
    assert eigenvalues[0].item() == pytest.approx(-true, rel=0.01)
    assert 0.9 * true < _value(view) <= true * (1 + 1e-12)


@pytest.mark.parametrize(
    "eigenvalues", [[1.0, 2, -3, 0.5], [-1, -2, -3], [2, -2, 1, 1], [1e-9, 1e9, -1e9]]
)
def test_largest_is_found_whatever_is_below_it(eigenvalues, monkeypatch):
    _exactly(monkeypatch)
    loss, weights = _quadratic(eigenvalues)
    eigenvalue = top_eigenvalue(loss, weights, _start(weights))
    assert eigenvalue == pytest.approx(max(eigenvalues), rel=1e-10)


@pytest.mark.parametrize(
    ("eigenvalues", "products"),
    [([5.0] * 4, 2), ([5.0, 0, 0, 0], 3), ([*range(1, 200)], 20)],
)
def test_iteration_stops_when_the_estimate_does_or_after_twenty(
    eigenvalues, products, monkeypatch
):
    """A multiple of 1 is known after one product, rank one after two; one to see it."""
    made, grad = [], torch.autograd.grad
    monkeypatch.setattr(hessian, "TOLERANCE", 1e-9)

    def counted(*args, **options):
        made.append("grad_outputs" in options)
        return grad(*args, **options)

    loss, weights = _quadratic(eigenvalues)
    monkeypatch.setattr(torch.autograd, "grad", counted)
    top_eigenvalue(loss, weights, _start(weights))
    assert sum(made) == products


def test_iteration_stops_where_the_space_ends():
    """Along an eigenvector nothing is left after one product."""
    w = torch.ones(2, dtype=torch.float64, requires_grad=True)
    along = torch.tensor([3.0, 0.0]).double()
    loss = 2 * w[0] ** 2 + 50 * w[1] ** 2
    assert top_eigenvalue(loss, [w], [along]) == 4


def test_no_curvature_is_zero():
    w = torch.ones(3, dtype=torch.float64, requires_grad=True)
    assert top_eigenvalue((0 * w * w).sum(), [w], _start([w])) == 0


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_length_of_the_start_does_not_matter(scale):
    loss, weights = _quadratic([4.0, 1.0, -2.0])
    start = _start(weights)
    whole = top_eigenvalue(loss, weights, start)
    other = top_eigenvalue(loss, weights, [scale * tensor for tensor in start])
    assert other == pytest.approx(whole, rel=1e-12)


def test_curvature_before_batchnorm_grows_as_weights_shrink(monkeypatch):
    """Weights of half the size with statistics that follow: four times, one function.

    BatchNorm's epsilon of 1e-12 beside a variance of about 0.01 leaves 1e-9 or so.
    """
    _exactly(monkeypatch)
    x, y = batch(8)
    net = nn.Sequential(
        nn.Conv2d(2, 3, 3, bias=False),
        nn.BatchNorm2d(3, affine=False, eps=1e-12),
        nn.Tanh(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    ).double()
    net[1].running_var.fill_(0.01)
    view = replace(view_of(y={"train": y}), model=net, network=net)
    monkeypatch.setattr(PGD, "__call__", lambda attack, model, x, *rest: x)
    large = _value(view)
    net[0].weight.data /= 2
    net[1].running_mean /= 2
    net[1].running_var /= 4
    assert _value(view) == pytest.approx(4 * large, rel=1e-6)


def test_frozen_weights_are_left_out(monkeypatch):
    _exactly(monkeypatch)
    view = view_of()
    view.model[:4].requires_grad_(False)
    twin = deepcopy(view.model).eval()
    x, y = view.adversarial("train", 20), view.splits["train"].y
    features = twin[:4](x)
    true = _largest(nn.Sequential(twin[4]), features, y)
    assert _value(view) == pytest.approx(true, rel=1e-9)


def test_only_the_first_images_are_measured(monkeypatch):
    monkeypatch.setattr(Hessian, "n", 6)
    _exactly(monkeypatch)
    view = view_of()
    (row,) = Hessian().measure(view).rows
    x, y = view.adversarial("train", 6), view.splits["train"].y[:6]
    true = _largest(view.model, x, y)
    about = {"split": "train", "attack": ATTACK.name, "n": 6, "metric": METRIC}
    assert row == about | {"value": pytest.approx(true, rel=1e-9)}


def test_measuring_changes_neither_weights_nor_modes_nor_gradients():
    view = view_of()
    before = deepcopy(view.model.state_dict())
    state = torch.random.get_rng_state()
    assert _value(view) == _value(view)
    assert torch.equal(torch.random.get_rng_state(), state)
    after = view.model.state_dict()
    assert all(torch.equal(value, before[key]) for key, value in after.items())
    assert view.model.training
    assert all(p.grad is None for p in view.model.parameters())


def test_watching_changes_nothing(smoke_spec, tmp_path, monkeypatch):
    folder = assert_watching_changes_nothing(
        "hessian", Hessian, smoke_spec(), tmp_path, monkeypatch
    )
    rows = [r for r in read_rows(folder.path) if r["metric"] == METRIC]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert all(row["value"] > 0 and row["n"] == 128 for row in rows)


@pytest.mark.parametrize("scale", [1e38, torch.nan])
def test_a_hessian_that_overflows_has_no_eigenvalue_and_no_exception(scale):
    w = torch.full((3,), 10.0, requires_grad=True)
    loss = (scale * w.square().square()).sum()  # H = 12 scale w^2
    assert torch.tensor(top_eigenvalue(loss, [w], [torch.ones(3)])).isnan()
