"""What watch answers to wrong input, and to labels that are noisy, soft or sorted."""

import pytest
import torch
from torch import nn
from toy_problems import batch, conv_net

from rofit import load_logs
from rofit.errors import UserError
from rofit.models import build_model
from rofit.watch import watch

X, Y = (tensor.clone() for tensor in batch(40, n_classes=3))
X_TEST, Y_TEST = batch(20, n_classes=3, seed=1)
NAN = X.clone().fill_(torch.nan)


def watched(root, net=None, **options):
    """Watch a small net for an epoch of a short evaluation."""
    options = {"train": (X, Y), "test": (X_TEST, Y_TEST), "epochs": 1} | options
    return watch(net or conv_net(), store=root / "runs", eval_steps=1, **options)


def train(root, net=None, soft=None, **options):
    """Watch an epoch of two steps without an optimizer; return net and logs."""
    net = net or conv_net()
    watching = watched(root, net, **options)
    x, y = options.get("train", (X, Y))
    for index in torch.arange(len(x)).chunk(2):
        logits = net(x[index])
        target = y[index] if soft is None else soft[index]
        loss = nn.functional.cross_entropy(logits, target)
        loss.backward()
        watching.step(logits, y[index], loss, None if soft is None else soft[index])
    watching.epoch(lr=0.1, soft=soft)
    return net, load_logs(root / "runs")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"train": (255 * X, Y)}, r"images must be in \[0, 1\], got .* to 2\d\d; put"),
        ({"test": (X_TEST - 1, Y_TEST)}, r"images must be in \[0, 1\], got -"),
        ({"train": (NAN, Y)}, r"images must be in \[0, 1\], got nan"),
        ({"train": ((255 * X).byte(), Y)}, r"as floats in \[0, 1\] .* got torch.uint8"),
        ({"train": (X[0], Y)}, r"expected images \(N, C, H, W\)"),
        ({"test": (X, Y_TEST)}, r"\(40, 2, 4, 4\) and torch.int64 \(20,\)"),
        ({"test": (X[:0], Y[:0])}, r"got torch.float64 \(0, 2, 4, 4\)"),
        ({"val": (X, Y[:5])}, r"\(40, 2, 4, 4\) and torch.int64 \(5,\)"),
        ({"train": (X, nn.functional.one_hot(Y))}, r"and torch.int64 \(40, 3\)"),
        ({"train": (X, Y.float())}, "as whole numbers, got .* torch.float32"),
        ({"train": (X, Y + 1)}, "of the train images must be .* 0 to 2.* from 0$"),
        ({"test": (X_TEST, Y_TEST - 1)}, "of the test images .* got -1 to 1"),
        ({"true": Y - 1}, "of the true labels .* got -1 to 1"),
        ({"true": Y[:1]}, r"a true class for each of 40 training images, got \(1,\)"),
        ({"epochs": 0}, "epochs must be at least 1 and at most 1,000,000, got 0"),
        ({"epsilon": 8}, "did you mean 8/255"),
        ({"momentun": 0.9}, "unknown field of a run 'momentun'; did you mean momentum"),
        (
            {"name": "my/loop"},
            "method must be a name .* without / and such, got 'my/loop'",
        ),
        ({"diagnostics": ("gradnorm",)}, "unknown diagnostic 'gradnorm'"),
        ({"diagnostics": ("memorisation",)}, "memorisation cannot be measured: no "),
        ({"diagnostics": ("embedding",)}, "embedding cannot be measured: the network"),
    ],
)
def test_wrong_input_gets_a_sentence_and_no_folder(tmp_path, options, sentence):
    with pytest.raises(UserError, match=sentence):
        watched(tmp_path, **options)
    assert not (tmp_path / "runs").exists()


def test_the_same_name_and_settings_are_not_written_over(tmp_path):
    _, before = train(tmp_path)
    with pytest.raises(UserError, match="holds a run already; give another name or"):
        watched(tmp_path)
    assert load_logs(tmp_path / "runs").equals(before)
    train(tmp_path, seed=1)
    assert load_logs(tmp_path / "runs")["run_id"].nunique() == 2


def test_an_epoch_without_a_step_is_refused_the_second_too(tmp_path):
    net = conv_net()
    watching = watched(tmp_path, net, epochs=2)
    with pytest.raises(UserError, match=r"call step\(\) after every backward pass"):
        watching.epoch(lr=0.1)
    loss = nn.functional.cross_entropy(logits := net(X), Y)
    loss.backward()
    watching.step(logits, Y, loss)
    watching.epoch(lr=0.1)
    with pytest.raises(UserError, match=r"call step\(\) after every backward pass"):
        watching.epoch(lr=0.1)
    assert set(load_logs(tmp_path / "runs")["epoch"]) == {1}


def test_noisy_labels_are_told_apart_by_portion(tmp_path):
    noisy = Y.clone()
    noisy[::4] = (Y[::4] + 1) % 3
    net, logs = train(tmp_path, train=(X, noisy), true=Y)
    rows = logs[(logs["metric"] == "portion_accuracy") & (logs["attack"] == "none")]
    accuracies = rows.set_index(["portion", "labels"])["value"].to_dict()
    with torch.no_grad():
        predicted = net.eval()(X).argmax(dim=1)
    for portion, chosen in (("corrupted", noisy != Y), ("untouched", noisy == Y)):
        for labels, y in (("given", noisy), ("true", Y)):
            hits = (predicted == y)[chosen].double().mean().item()
            assert accuracies.pop((portion, labels)) == hits
    assert not accuracies


def test_soft_labels_are_those_that_the_loop_trains_on(tmp_path):
    soft = 0.7 * nn.functional.one_hot(Y, 3).double() + 0.1
    _, logs = train(tmp_path, soft=soft, diagnostics=("softness",))
    (mass,) = logs.loc[logs["metric"] == "label_mass_on_given", "value"]
    assert mass == pytest.approx(0.8)


def test_a_class_that_no_training_image_has_is_a_class_still(tmp_path):
    few = Y < 2
    _, logs = train(tmp_path, train=(X[few], Y[few]))
    assert {"sample_gradient_norm", "label_entropy"} <= set(logs["metric"])


def test_a_net_of_ours_has_its_features_looked_at(tmp_path):
    net = build_model("preact_tiny", channels=1, image_size=8, n_classes=3).double()
    splits = dict.fromkeys(("train", "test"), batch(40, channels=1, size=8))
    _, logs = train(tmp_path, net, diagnostics=("embedding",), **splits)
    assert "knn_accuracy" in set(logs["metric"])


def test_what_the_loop_attacked_with_names_what_its_steps_saw(tmp_path):
    _, logs = train(tmp_path, attack_steps=7)
    rows = logs[(logs["split"] == "train") & (logs["metric"] == "loss")]
    attacks = dict(zip(rows["measured"], rows["attack"], strict=True))
    assert attacks == {"step": "pgd7", "epoch_end": "none"}


class Twice(nn.Module):
    """A net that uses one layer twice."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        self.linear = nn.Linear(32, 3)

    def forward(self, x):
        return self.linear(self.conv(self.conv(x)).flatten(1))


def test_a_diagnostic_that_fails_on_a_net_is_left_out_with_a_warning(tmp_path):
    sentence = "information_in_weights is left out from here on: .* used twice"
    with pytest.warns(UserWarning, match=sentence):
        _, logs = train(tmp_path, Twice().double())
    assert {"weight_loss", "accuracy"} <= set(logs["metric"])
    assert "iiw_fisher" not in set(logs["metric"])


def test_one_that_was_asked_for_and_fails_raises(tmp_path):
    with pytest.raises(UserError, match="used twice"):
        train(tmp_path, Twice().double(), diagnostics=("information_in_weights",))


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_net_that_has_diverged_gets_a_sentence_and_no_accuracy(tmp_path, value):
    net = conv_net()
    bias = list(net.parameters())[-1]

    trained = []

    def broken_at_the_end(module, args):
        trained.extend([True] * module.training)
        if trained and not module.training:
            bias.data[1] = value

    net.register_forward_pre_hook(broken_at_the_end)
    with pytest.raises(UserError, match="logits are not finite for 20 of 20 images"):
        train(tmp_path, net)
    assert not len(load_logs(tmp_path / "runs"))


def test_steps_that_have_diverged_are_said_where_an_epoch_is_not_evaluated(tmp_path):
    net = conv_net()
    list(net.parameters())[-1].data[1] = torch.nan
    with pytest.raises(UserError, match="the epoch's steps is not finite"):
        train(tmp_path, net, epochs=2, eval_every=2)
