"""A loop that is not ours is watched: what is written, and that nothing is changed."""

import pytest
import torch
from made_up_logs import saved
from own_loops import EPOCHS, LR, images, loop, own_net
from rofit.analyses import fig1_gradnorm as fig1
from rofit.figures import fig1_gradnorm as picture
from torch import nn
from training_helpers import same

from rofit import load_logs
from rofit.attacks import geometry
from rofit.diagnostics import DIAGNOSTICS
from rofit.measures.metrics import best_last_gap
from rofit.modes import evaluating
from rofit.seeding import generator
from rofit.settings.threat import ThreatModel
from rofit.watch import watch

EPSILON, STEPS, STEP_SIZE = 0.1, 4, 0.04
SETTINGS = {"epsilon": EPSILON, "eval_steps": STEPS, "step_size": STEP_SIZE}
ATTACKED = f"pgd{STEPS}"
NEED_MORE = {"memorisation", "embedding"}  # noisy labels, a net that names its features


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of two loops, one under all diagnostics, and by name what they left."""
    root, splits, left = tmp_path_factory.mktemp("runs"), images(), {}
    for name, kinds in (("pgd_at", ()), ("sgls", ("gradient_norm",))):
        net, options = own_net(), SETTINGS | {"attack_steps": 0, "diagnostics": kinds}
        watched = watch(net, **splits, epochs=EPOCHS, store=root, name=name, **options)
        left[name] = (net, *loop(net, *splits["train"], watched))
    return root, left


@pytest.fixture(scope="module")
def logs(store):
    return load_logs(store[0])


def values(logs, method="pgd_at", **about):
    """Return the values of the rows that are *about* something, an epoch each."""
    rows = logs[logs["method"] == method]
    for key, value in about.items():
        rows = rows[rows[key] == value]
    assert rows["epoch"].tolist() == [1, 2, 3]
    return rows["value"].tolist()


def test_the_store_reads_as_one_of_ours(store, logs):
    assert set(logs["state"]) == {"done"} and set(logs["epoch"]) == {1, 2, 3}
    assert set(logs["train_size"]) == {320} and set(logs["val_size"]) == {80}
    assert values(logs, metric="learning_rate") == [LR, LR / 2, LR / 3]
    gaps = best_last_gap(logs)
    assert len(gaps) == 2 and set(gaps["selected_on"]) == {"val"}
    run_id = logs.loc[logs["method"] == "pgd_at", "run_id"].iloc[0]
    robust = {"attack": ATTACKED, "metric": "accuracy"}
    assert gaps.loc[run_id, "last"] == values(logs, split="test", **robust)[-1]
    assert store[1]["pgd_at"][1]["returned"] == values(logs, split="val", **robust)


def test_what_can_be_measured_is_watched_unless_some_is_asked_for(logs):
    metrics = {
        m: set(rows["metric"]) for m, rows in logs.groupby("method", observed=True)
    }
    rows_of = {name: set(kind.columns) for name, kind in DIAGNOSTICS.items()}
    watched = {m: {n for n in rows_of if rows_of[n] & metrics[m]} for m in metrics}
    assert watched["pgd_at"] == {n for n in rows_of if rows_of[n]} - NEED_MORE
    assert watched["sgls"] == {"gradient_norm"}
    about = {"layer": "all", "prior": "initial", "labels": "given", "attack": "none"}
    assert all(values(logs, metric="iiw_fisher", **about))  # weights have gone far


@pytest.mark.parametrize("method", ["pgd_at", "sgls"])
def test_what_steps_saw_is_what_the_loop_worked_out_by_hand(store, logs, method):
    by_hand = store[1][method][1]
    norms = values(logs, method, metric="gradient_norm")
    assert norms == pytest.approx(by_hand["gradient_norm"], rel=1e-5)
    about = {"measured": "step", "metric": "accuracy", "attack": "none"}
    assert values(logs, method, split="train", **about) == by_hand["accuracy"]


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_last_robust_accuracy_is_that_of_a_slow_pgd(store, logs, split):
    net = store[1]["pgd_at"][0]
    x, y = (tensor[:100] for tensor in images()[split])
    threat = ThreatModel("linf", EPSILON)
    start = geometry.start(threat, x.shape, generator(0, "eval", split))
    with evaluating(net):
        x_adv = (x + start).clamp(0, 1)
        for _ in range(STEPS):
            x_adv.requires_grad_(True)
            loss = nn.functional.cross_entropy(net(x_adv), y, reduction="sum")
            (up,) = torch.autograd.grad(loss, x_adv)
            x_adv = x_adv.detach() + STEP_SIZE * up.sign()
            x_adv = (x + (x_adv - x).clamp(-EPSILON, EPSILON)).clamp(0, 1)
        hits = (net(x_adv).argmax(dim=1) == y).sum().item()
    about = {"split": split, "metric": "accuracy"}
    robust = values(logs, attack=ATTACKED, **about)[-1]
    assert robust < values(logs, attack="none", **about)[-1] - 0.1
    assert abs(robust * len(y) - hits) < 1.5  # one image may sit on the boundary


def test_last_clean_accuracy_is_that_of_the_trained_net(store, logs):
    net, (x, y) = store[1]["pgd_at"][0], images()["test"]
    with evaluating(net):
        hits = (net(x).argmax(dim=1) == y).sum().item()
    about = {"split": "test", "attack": "none", "metric": "accuracy"}
    assert values(logs, **about)[-1] == hits / len(y) > 0.5


def test_weights_and_random_stream_are_those_of_the_loop_alone(store):
    alone = own_net()
    _, end = loop(alone, *images()["train"])
    assert not torch.equal(end["weights"]["0.weight"], own_net()[0].weight)
    same(store[1]["pgd_at"][2], end)


class Drawing(nn.Module):
    """Adds noise to what comes in, in eval mode too."""

    def forward(self, x):
        return x + 0.1 * torch.randn_like(x)


def test_a_net_that_draws_in_eval_mode_trains_on_as_if_alone(tmp_path):
    splits, options = images(), SETTINGS | {"diagnostics": ("confidence",)}
    ends = []
    for watching in (True, False):
        net = own_net().insert(0, Drawing())
        made = watch(net, **splits, epochs=EPOCHS, store=tmp_path, **options)
        ends.append(loop(net, *splits["train"], made if watching else None)[1])
        options["seed"] = 1
    same(*ends)


def test_figure_1_is_drawn_from_loops_that_are_not_ours(logs):
    table = fig1.table(logs)
    assert len(table) == 2 * EPOCHS and table.notna().all(axis=None)
    table.insert(0, "data", "digits")
    table.insert(0, "scale", "theirs")
    figure = picture.draw(saved(table))
    drawn = [list(line.get_ydata()) for line in figure.axes[0].lines]
    assert values(logs, metric="gradient_norm") in drawn
    assert "theirs" in figure.get_supxlabel()
