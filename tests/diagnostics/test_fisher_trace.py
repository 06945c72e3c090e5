"""Fisher traces against a loop of autograd, and draws against what they are drawn from.

What is drawn at random is drawn from fixed seeds; tolerances are five standard errors.
"""

from dataclasses import replace

import pytest
import torch
from made_up_views import ATTACK, assert_watching_changes_nothing, view_of
from torch import nn

from rofit.diagnostics.fisher_trace import FisherTrace, draw_classes
from rofit.store.runs import read_rows


def _squares(net, x, n_classes):
    """Return ||grad_w -log p_k||^2 of each image and class: a list of lists."""
    net.eval()
    squares = []
    for one in x:
        loss = -net(one[None]).log_softmax(dim=1)[0]
        of_classes = [
            torch.autograd.grad(loss[k], list(net.parameters()), retain_graph=True)
            for k in range(n_classes)
        ]
        squares.append([sum(g.square().sum().item() for g in w) for w in of_classes])
    return squares


def _traces(rows):
    return {(r["attack"], r["metric"].removeprefix("fisher_trace_")): r for r in rows}


def _logits(view, x):
    view.model.eval()
    with torch.no_grad():
        return view.model(x)


def test_traces_are_the_mean_squared_norms_of_a_loop_over_images():
    view = view_of()
    y = view.splits["train"].y.tolist()
    rows = FisherTrace().measure(view).rows
    traces = _traces(rows)
    for attack, x in (
        ("none", view.clean("train", 20)),
        (ATTACK.name, view.adversarial("train", 20)),
    ):
        squares = _squares(view.model, x, 3)
        drawn = draw_classes(view, _logits(view, x)).tolist()
        assert drawn != y
        given = sum(row[k] for row, k in zip(squares, y, strict=True)) / 20
        sampled = sum(row[k] for row, k in zip(squares, drawn, strict=True)) / 20
        assert traces[attack, "given"]["value"] == pytest.approx(given, rel=1e-11)
        assert traces[attack, "sampled"]["value"] == pytest.approx(sampled, rel=1e-11)
        difference = traces[attack, "difference"]["value"]
        assert difference == pytest.approx(given - sampled, rel=1e-9)
    assert len(traces) == len(rows) == 6
    assert {(r["split"], r["n"]) for r in rows} == {("train", 20)}


def test_sampled_trace_is_on_average_the_true_fisher_informations():
    """Trace = mean_i sum_k p_ik ||grad_w -log p_ik||^2, here over 300 epochs' draws."""
    view = view_of()
    x = view.clean("train", 20)
    squares, logits = x.new_tensor(_squares(view.model, x, 3)), _logits(view, x)
    p = logits.softmax(dim=1)
    true = (p * squares).sum(dim=1).mean().item()
    traces = []
    for epoch in range(300):
        drawn = draw_classes(replace(view, epoch=epoch), logits)
        traces.append(squares.gather(1, drawn[:, None]).mean())
    traces = torch.stack(traces)
    error = (traces.std() / len(traces) ** 0.5).item()
    assert error < 0.05 * true
    assert abs(traces.mean().item() - true) < 5 * error


def test_trace_of_a_linear_softmax_model_is_the_closed_form():
    """||grad||^2 = ||p - e_y||^2 (||x||^2 + 1) for each image."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(32, 3)).double()
    view = replace(view_of(), model=net, network=net)
    x, y = view.clean("train", 20), view.splits["train"].y
    residual = net(x).softmax(dim=1).detach() - torch.eye(3).double()[y]
    closed = residual.square().sum(1) * (x.flatten(1).square().sum(1) + 1)
    traces = _traces(FisherTrace().measure(view).rows)
    value = traces["none", "given"]["value"]
    assert value == pytest.approx(closed.mean().item(), rel=1e-13)


@pytest.mark.parametrize(
    "logits", [(0.0, 1.0, -2.0), (3.0, 3.0, 3.0), (-9.0, 0.0, 2.0)]
)
def test_classes_are_drawn_with_the_models_probabilities(logits):
    n = 20_000
    logits = torch.tensor(logits).double()
    drawn = draw_classes(view_of(), logits.expand(n, 3))
    shares = torch.bincount(drawn, minlength=3) / n
    p = logits.softmax(dim=0)
    assert ((shares - p).abs() < 5 * (p * (1 - p) / n).sqrt() + 1 / n).all()


def test_draws_of_two_images_are_independent():
    """Pairs of neighbours: nine equal cells, each with a standard deviation of 1/60."""
    drawn = draw_classes(view_of(), torch.zeros(20_000, 3)).view(-1, 2)
    cells = torch.bincount(3 * drawn[:, 0] + drawn[:, 1], minlength=9) / 10_000
    assert ((cells - 1 / 9).abs() < 5 * (8 / 81 / 10_000) ** 0.5).all()


def test_a_certain_network_draws_what_it_is_certain_of():
    logits = torch.tensor([[0.0, 500.0, 0.0], [800.0, 0.0, -800.0]])
    assert draw_classes(view_of(), logits).tolist() == [1, 0]


def test_draws_depend_on_seed_and_epoch_and_on_nothing_else():
    logits = torch.zeros(50, 10)
    torch.manual_seed(1)
    first = draw_classes(view_of(seed=3, epoch=2), logits)
    torch.manual_seed(2)
    assert torch.equal(draw_classes(view_of(seed=3, epoch=2), logits), first)
    assert not torch.equal(draw_classes(view_of(seed=4, epoch=2), logits), first)
    assert not torch.equal(draw_classes(view_of(seed=3, epoch=3), logits), first)


def test_watching_changes_nothing(smoke_spec, tmp_path, monkeypatch):
    folder = assert_watching_changes_nothing(
        "fisher_trace", FisherTrace, smoke_spec(), tmp_path, monkeypatch
    )
    rows = [r for r in read_rows(folder.path) if r["metric"] in FisherTrace.columns]
    assert len(rows) == 2 * 6 and {row["n"] for row in rows} == {128}
