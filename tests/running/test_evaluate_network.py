"""rofit.evaluate(model, x, y, threat, attacks): right numbers, and nothing changed."""

import copy
import random

import numpy as np
import pandas as pd
import pytest
import torch
from evaluated_digits import digits_net
from torch import nn
from toy_problems import batch, conv_net, linear_net
from training_helpers import digits, same

import rofit
from rofit.attacks.geometry import inside
from rofit.errors import UserError
from rofit.evaluation.finite import NotFinite
from rofit.models.normalise import Normalise
from rofit.settings.threat import ThreatModel

X, Y = batch(40, n_classes=4)
X = (X * 255).round() / 255


@pytest.fixture(scope="module")
def net():
    """A net that is right on half of the images and has BatchNorm and dropout."""
    net = conv_net(n_classes=4).insert(4, nn.Dropout(0.2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.2)
    with torch.random.fork_rng(devices=[]):
        for _ in range(30):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(X), Y).backward()
            optimizer.step()
    return net


def accuracies(table):
    return dict(zip(table["attack"], table["accuracy"], strict=True))


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.02), ("l2", 0.1)])
def test_linear_net_is_robust_where_its_margin_is_out_of_reach(norm, epsilon):
    x, y = batch(200, n_classes=2)
    x = 0.25 + x / 2  # no perturbation is cut
    weight = torch.linspace(-1, 1, 32).double().reshape(1, 2, 4, 4)
    net = linear_net(weight)
    net[1].bias = nn.Parameter(torch.tensor([0.0, -(weight * x).sum() / 200]))
    table = rofit.evaluate(
        net, x, y, f"{norm}:{epsilon}", ["clean", "pgd10", "pgd10x2"]
    )
    margin = (net(x)[:, 1] - net(x)[:, 0]) * (2 * y - 1)
    reach = epsilon * (weight.abs().sum() if norm == "linf" else weight.norm())
    robust = (margin > reach).double().mean().item()
    clean = (margin > 0).double().mean().item()
    assert accuracies(table) == {"none": clean, "pgd10": robust, "pgd10x2": robust}
    assert 0.05 < robust < clean - 0.05
    assert set(table["n"]) == {200} and table["epsilon"].tolist() == [0, *[epsilon] * 2]


def test_stronger_attacks_leave_less_whatever_the_batch(net):
    attacks = ["clean", "fgsm", "pgd20x2", "cw20", "apgd-ce", "square50", "autoattack"]
    table = rofit.evaluate(net, X, Y, "linf:0.05", attacks, seed=3)
    left = accuracies(table)
    assert left["autoattack"] <= min(left["apgd-ce"], left["pgd20x2"]) < left["none"]
    after = table.set_index("attack").loc["autoattack", "after"]
    assert list(after) == ["clean", "apgd-ce", "apgd-t", "fab-t", "square"]
    assert after["apgd-ce"] == left["apgd-ce"] and after["clean"] == left["none"]
    again = rofit.evaluate(net, X, Y, "linf:0.05", attacks, seed=3, batch_size=7)
    assert accuracies(again) == left
    checks = table["checks"].iloc[1]
    assert checks["norm"] == "linf" and checks["epsilon"] == 0.05
    assert "large_radius" in {*checks["warnings"], *checks["passed"]}
    assert "black_box_wins" in {*checks["warnings"], *checks["passed"]}
    assert checks["images compared"] == 40


def test_weights_modes_gradients_and_streams_are_as_before(net):
    net.train()
    net[1].eval()
    net[0].weight.requires_grad_(False)
    net[5].weight.grad = torch.full_like(net[5].weight, 3.0)
    torch.manual_seed(5)
    np.random.seed(5)
    random.seed(5)
    flags = torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32

    def state():
        grads = {n: p.grad for n, p in net.named_parameters() if p.grad is not None}
        return {
            "weights": {n: t.clone() for n, t in net.state_dict().items()},
            "grads": {n: g.clone() for n, g in grads.items()},
            "modes": {n: m.training for n, m in net.named_modules()},
            "required": {n: p.requires_grad for n, p in net.named_parameters()},
            "torch": torch.get_rng_state(),
            "numpy": np.random.get_state()[1].tolist(),
            "python": random.getstate(),
            "hooks": len(net._forward_hooks) + len(net._forward_pre_hooks),
        }

    before = state()
    with torch.no_grad():
        rofit.evaluate(net, X, Y, "linf:0.05", ["pgd5", "apgd-t", "fab-t", "square50"])
    same(state(), before)
    assert (torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32) == flags
    net.train().requires_grad_(True)
    net.zero_grad()


MEAN, STD = (0.4, 0.6), (0.2, 0.3)


class Pair(nn.Module):
    """Returns features as well, a matrix too."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return x.flatten(1), self.net(x)


class Undone(nn.Module):
    """Undoes a normalisation: what is normalised outside comes in."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        mean, std = (torch.tensor(v).view(1, -1, 1, 1).double() for v in (MEAN, STD))
        return self.net(x * std + mean)


@pytest.mark.parametrize(
    ("wrap", "images", "options"),
    [
        (Pair, lambda x: x, {"logits": 1}),
        (nn.DataParallel, lambda x: x, {}),
        (Undone, lambda x: Normalise(MEAN, STD).double()(x), {"inputs": (MEAN, STD)}),
        (Undone, lambda x: (255 * x).byte().numpy(), {"inputs": (MEAN, STD)}),
    ],
)
def test_networks_of_every_make_have_the_same_accuracies(net, wrap, images, options):
    attacks = ["clean", "pgd10"]
    plain = rofit.evaluate(net, X, Y, "linf:0.05", attacks)
    table = rofit.evaluate(
        wrap(net), images(X), Y.numpy(), "linf:0.05", attacks, **options
    )
    assert accuracies(table) == accuracies(plain)


@pytest.mark.parametrize("file", ["adversarial.npz", "adversarial.parquet"])
@pytest.mark.parametrize("eight_bit", [False, True])
@pytest.mark.parametrize("threat", ["linf:0.045", "l2:0.3"])
def test_saved_images_are_in_the_ball_and_predicted_as_the_file_says(
    net, tmp_path, file, eight_bit, threat
):
    path = tmp_path / file
    attacks = ["clean", "pgd10", "apgd-ce"]
    table = rofit.evaluate(
        net, X, Y, threat, attacks, save_adversarial=path, eight_bit=eight_bit
    )
    if path.suffix == ".npz":
        saved = dict(np.load(path))
    else:
        frame = pd.read_parquet(path)
        saved = {name: frame[name].to_numpy() for name in frame}
        shape = frame["shape"].iloc[0]
        saved["x_adv"] = np.stack(frame["x_adv"]).reshape(-1, *shape)
    assert saved["x_adv"].dtype == (np.uint8 if eight_bit else np.float32)
    assert saved["attack"].tolist() == np.repeat(table["attack"], 40).tolist()
    assert saved["index"].tolist() == [*range(40)] * 3
    x_adv = torch.from_numpy(saved["x_adv"]).double() / (255 if eight_bit else 1)
    net.eval()
    norm, _, epsilon = threat.partition(":")
    ball = ThreatModel(norm, float(epsilon))
    for number, (attack, accuracy, anew) in enumerate(
        zip(table["attack"], table["accuracy"], table["accuracy_saved"], strict=True)
    ):
        part = slice(40 * number, 40 * number + 40)
        images = x_adv[part]
        predicted = net(images).argmax(dim=1)
        assert predicted.tolist() == saved["predicted"][part].tolist()
        assert anew == (predicted == Y).double().mean().item()
        assert inside(ball, X, images).all()
        if attack == "none":
            assert torch.allclose(images, X, atol=1e-7) and anew == accuracy
        elif not eight_bit:  # fp32 of a float64 net: an image may sit on the boundary
            assert anew == pytest.approx(accuracy, abs=1 / 40 + 1e-9)
        else:
            assert accuracy - 1e-9 <= anew < table["accuracy"].iloc[0]
    net.train()
    assert [p.name for p in tmp_path.iterdir()] == [file]


def test_images_off_the_grid_are_not_rounded(net, tmp_path):
    options = {"save_adversarial": tmp_path / "a.npz", "eight_bit": True}
    with pytest.raises(UserError, match="images are no multiples of 1/255"):
        rofit.evaluate(net, X * 0.999, Y, "linf:0.05", "pgd2", **options)


def test_checks_warn_of_a_network_that_returns_probabilities(net):
    soft = nn.Sequential(net, nn.Softmax(dim=1))
    table = rofit.evaluate(soft, X, Y, "linf:0.05", ["pgd2"])
    assert "probabilities" in table["checks"].iloc[0]["warnings"]
    table = rofit.evaluate(net, X, Y, "linf:0.05", ["pgd2"])
    assert "probabilities" in table["checks"].iloc[0]["passed"]


def test_checks_are_of_the_threat_model_of_their_row(net):
    table = rofit.evaluate(net, X, Y, "linf:0.05", ["clean", "pgd2", "pgd2@0.1"])
    epsilons = [c["epsilon"] if c else None for c in table["checks"]]
    assert epsilons == [0.05, 0.05, None]


def test_transfer_is_made_on_the_source(net):
    itself = rofit.evaluate(net, X, Y, "linf:0.05", ["transfer", "pgd20"], source=net)
    assert itself["accuracy"].nunique() == 1
    other = rofit.evaluate(
        net, X, Y, "linf:0.05", "transfer", source=conv_net(n_classes=4, seed=9)
    )
    assert other["accuracy"].item() > itself["accuracy"].iloc[0]


def test_two_classes_have_what_of_autoattack_is_defined(net):
    two = nn.Sequential(net, nn.Linear(4, 2).double())
    table = rofit.evaluate(two, X[:8], Y[:8] % 2, "linf:0.01", ["autoattack"])
    assert table["attack"].item() == "apgd-ce+fab-t+square"
    assert "at least 4 classes, got 2" in table["left_out"].item()


def test_network_in_half_precision_is_evaluated_by_its_weights_in_fp32(net):
    half = copy.deepcopy(net).to(torch.bfloat16)
    attacks = ["clean", "pgd10"]
    table = rofit.evaluate(half, X, Y, "linf:0.05", attacks)
    twin = rofit.evaluate(
        copy.deepcopy(half).float(), X.float(), Y, "linf:0.05", attacks
    )
    assert accuracies(table) == accuracies(twin)


def test_nan_is_said_and_not_counted(net):
    broken = conv_net(n_classes=4)
    broken[-1].bias.data[0] = torch.nan
    with pytest.raises(NotFinite, match="logits are not finite for 40 of 40 images"):
        rofit.evaluate(broken, X, Y, "linf:0.05", "clean")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"threat": "linf"}, r"written norm:radius \(linf:8/255\), got 'linf'"),
        ({"threat": "linf:8"}, "did you mean 8/255"),
        ({"threat": "l1:8/255"}, "unknown norm 'l1'"),
        ({"threat": 0.03}, "written norm:radius .* got 0.03"),
        (
            {"threat": "linf:0"},
            "need a radius above 0, got the threat model linf 0/255",
        ),
        ({"threat": ThreatModel("linf", 0.1, -1.0, 1.0)}, r"in \[0, 1\]: so must be"),
        ({"attacks": ["pgd"]}, "pgd needs its number of steps"),
        ({"attacks": ["transfer"]}, "transfer needs the network .* source="),
        ({"attacks": ["pgd2@0"]}, r"needs a radius above 0: name one with epsilons$"),
        ({"threat": "l2:0.5", "attacks": ["fgsm"]}, "fgsm is an attack inside linf"),
        ({"x": 255 * X}, r"images must be in \[0, 1\]"),
        ({"x": X[0]}, r"expected images \(N, C, H, W\)"),
        ({"x": X[:, :1]}, "the network does not take images"),
        ({"y": Y[:5]}, r"and torch.int64 \(5,\)"),
        ({"y": Y + 1}, "from 0 to 3, .* got 1 to 4; classes count from 0"),
        ({"batch_size": -1}, "batch_size must be at least 0, got -1"),
        ({"save_adversarial": "x.png"}, "saved as .npz or .parquet, got x.png"),
        ({"save_adversarial": "no/x.npz"}, "there is no folder no"),
        ({"eight_bit": True}, "eight_bit is of images that are saved"),
    ],
)
def test_what_cannot_be_evaluated_is_one_sentence_without_flags(net, change, sentence):
    arguments = {"x": X, "y": Y, "threat": "linf:0.05", "attacks": "pgd2"} | change
    with pytest.raises(UserError, match=sentence) as raised:
        rofit.evaluate(net, **arguments)
    assert "--" not in str(raised.value)


def test_digits_net_is_evaluated_in_input_units():
    x, y = digits("test")
    table = rofit.evaluate(digits_net(), x[:64], y[:64], attacks=["clean", "pgd5"])
    assert table["epsilon"].tolist() == [0, 8 / 255]
    assert accuracies(table)["pgd5"] < accuracies(table)["none"]


def test_what_is_neither_run_nor_network_is_said():
    with pytest.raises(UserError, match="files, or a network, got function"):
        rofit.evaluate(lambda x: x, X, Y)
