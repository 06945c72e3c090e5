"""Networks of every make are watched: as they are, or refused in one sentence."""

import copy
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from toy_problems import batch, conv_net

from rofit import load_logs
from rofit.errors import UserError
from rofit.models.normalise import Normalise
from rofit.watch import watch

MEAN, STD = (0.4, 0.6), (0.2, 0.3)
X, Y = (tensor.clone() for tensor in batch(40, n_classes=3))
X = (X * 255).round() / 255
X_TEST, Y_TEST = batch(20, n_classes=3, seed=1)
X_TEST = (X_TEST * 255).round() / 255
OWN = {"run_id", "family_id", "model", "precision"}


def rows(root, net, images=lambda x: x, *, y=Y, given=None, stated=None, **options):
    """Train *net* for an epoch of two steps; return the rows.

    It takes *images* of [0, 1]; watch is *given* others, and *stated* step to read y.
    """
    given = given or images
    watched = watch(
        net,
        train=(given(X), y),
        test=(given(X_TEST), Y_TEST),
        epochs=1,
        eval_steps=3,
        store=root,
        **options,
    )
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for index in torch.arange(40).chunk(2):
        output = net(images(X)[index])
        logits = output if stated is None else stated(output)
        loss = nn.functional.cross_entropy(logits, Y[index])
        optimizer.zero_grad()
        loss.backward()
        watched.step(output, y[index], loss)
        optimizer.step()
    watched.epoch(lr=0.1)
    logs = load_logs(root)
    return logs.drop(columns=[name for name in OWN if name in logs])


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return rows(tmp_path_factory.mktemp("plain"), conv_net())


def same(logs, plain, tolerance=0.0):
    """Compare all but values, then values to a relative tolerance."""
    assert logs.drop(columns="value").equals(plain.drop(columns="value"))
    if tolerance:
        assert logs["value"].to_numpy() == pytest.approx(plain["value"], rel=tolerance)
    else:
        assert logs["value"].equals(plain["value"])


class Bytes(nn.Module):
    """A net that divides by 255 itself."""

    def __init__(self, net):
        super().__init__()
        for name, module in net.named_children():
            setattr(self, name, module)

    def forward(self, x):
        x = x / 255
        for module in self.children():
            x = module(x)
        return x


def in_bytes(x):
    return 255 * x


def as_uint8(x):
    return (255 * x).round().byte()


def as_array(x):
    return as_uint8(x).numpy()


@pytest.mark.parametrize("given", [in_bytes, as_uint8, as_array])
def test_net_that_takes_bytes_is_watched_as_one_that_takes_units(
    tmp_path, plain, given
):
    net = Bytes(conv_net())
    same(rows(tmp_path, net, in_bytes, given=given, inputs="bytes"), plain, 1e-9)


def normalised(x):
    return (x - torch.tensor(MEAN).view(1, -1, 1, 1)) / torch.tensor(STD).view(
        1, -1, 1, 1
    )


@pytest.mark.parametrize("given", [normalised, as_uint8])
def test_images_that_are_normalised_outside_are_as_if_inside(tmp_path, given):
    logs = rows(
        tmp_path / "outside", conv_net(), normalised, given=given, inputs=(MEAN, STD)
    )
    inside = nn.Sequential(Normalise(MEAN, STD).double(), *conv_net())
    twin = rows(tmp_path / "inside", inside)
    layers = {"1": "0", "5": "4", "all": "all"}  # one place earlier
    assert twin.pop("layer").dropna().map(layers).tolist() == (
        logs.pop("layer").dropna().tolist()
    )
    same(logs, twin, 1e-6)


class Answer(nn.Module):
    """A net that returns more than logits."""

    def __init__(self, net, make):
        super().__init__()
        for name, module in net.named_children():
            setattr(self, name, module)
        self.make = make

    def forward(self, x):
        for module in list(self.children())[:-1]:
            x = module(x)
        return self.make(list(self.children())[-1](x), x)


class Output(NamedTuple):
    logits: Tensor
    features: Tensor


@pytest.mark.parametrize(
    ("make", "stated", "logits"),
    [
        (lambda z, h: (z,), lambda out: out[0], None),
        (lambda z, h: (z, h.view(len(h), 4, -1)), lambda out: out[0], None),
        (lambda z, h: (h, z), lambda out: out[1], 1),
        (lambda z, h: {"logits": z, "features": h}, lambda out: out["logits"], None),
        (lambda z, h: {"scores": z, "h": h}, lambda out: out["scores"], "scores"),
        (Output, lambda out: out.logits, None),
        (lambda z, h: (h, {"z": z}), lambda out: out[1]["z"], lambda out: out[1]["z"]),
    ],
)
def test_logits_are_taken_out_of_what_the_net_returns(
    tmp_path, plain, make, stated, logits
):
    net = Answer(conv_net(), make)
    same(rows(tmp_path, net, stated=stated, logits=logits), plain)


@pytest.mark.parametrize(
    ("make", "logits", "sentence"),
    [
        (lambda z, h: (z, h), None, r"got 2 parts .*; say where they are: logits=0"),
        (lambda z, h: {"a": z, "b": h}, None, "got a dict of a, b; say where"),
        (lambda z, h: {"a": z}, "b", "logits='b' is nothing in .* a dict of a"),
        (lambda z, h: (z,), 3, "logits=3 is nothing in the network's output, 1 parts"),
        (lambda z, h: z.sum(dim=1), None, r"got torch.float64 \(2,\)"),
        (lambda z, h: z.argmax(dim=1, keepdim=True), None, "got torch.int64"),
        (lambda z, h: z[:, :1], None, r"2 classes or more, got \(2, 1\)"),
        (lambda z, h: z.T, None, r"expected logits \(2, K\) .* got \(3, 2\)"),
        (lambda z, h: z[:, :2], None, "images must be from 0 to 1, .* got 0 to 2"),
    ],
)
def test_output_without_logits_is_refused_before_a_step(
    tmp_path, make, logits, sentence
):
    with pytest.raises(UserError, match=sentence):
        rows(tmp_path, Answer(conv_net(), make), logits=logits)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "wrap",
    [
        nn.DataParallel,
        lambda net: torch.compile(net, backend="eager"),
        lambda net: nn.DataParallel(torch.compile(net, backend="eager")),
    ],
)
def test_wrapped_net_is_known_by_the_names_of_the_one_inside(tmp_path, plain, wrap):
    logs = rows(tmp_path, wrap(conv_net()))
    same(logs, plain)
    (path,) = tmp_path.glob("*/checkpoints/last.pt")
    assert set(torch.load(path, weights_only=True)["model"]) == set(
        conv_net().state_dict()
    )
    assert set(load_logs(tmp_path)["model"]) == {"Sequential"}


def test_classes_of_arrays_and_lists_are_classes(tmp_path, plain):
    for kind in ("int64", "int32", "uint8", ">i4"):
        logs = rows(tmp_path / kind.strip(">"), conv_net(), y=Y.numpy().astype(kind))
        same(logs, plain)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_net_in_half_precision_is_measured_by_its_weights_in_fp32(tmp_path, dtype):
    net = conv_net().to(dtype)
    watched = watch(
        net, train=(X, Y), test=(X_TEST, Y_TEST), epochs=1, eval_steps=3, store=tmp_path
    )
    logits = net(X.to(dtype))
    loss = nn.functional.cross_entropy(logits.float(), Y)
    loss.backward()
    before = [p.grad.clone() for p in net.parameters()]
    watched.step(logits, Y, loss, gradient_scale=1.0)
    watched.epoch(lr=0.1)
    assert all(p.dtype == dtype for p in net.parameters())
    assert all(
        torch.equal(p.grad, g) for p, g in zip(net.parameters(), before, strict=True)
    )
    twin = copy.deepcopy(net).float().eval()
    with torch.no_grad():
        hits = (twin(X_TEST.float()).argmax(dim=1) == Y_TEST).double().mean().item()
    logs = load_logs(tmp_path)
    test = logs[(logs["split"] == "test") & (logs["metric"] == "accuracy")]
    by_attack = dict(zip(test["attack"], test["value"], strict=True))
    assert by_attack["none"] == hits
    assert {"hessian_top_eigenvalue", "iiw_fisher"} <= set(logs["metric"])


def one_step(root, *, scale=1.0, half=True, overflow=False, **stated):
    """Make a step whose loss was multiplied by *scale*, and one as it is."""
    net = conv_net().float()
    x = X.float()
    watched = watch(
        net, train=(x, Y), test=(x, Y), epochs=1, eval_steps=1, store=root,
        diagnostics=("gradient_norm",),
    )  # fmt: skip
    for factor in (1.0, scale):
        net.zero_grad()
        logits = net(x)
        loss = nn.functional.cross_entropy(logits, Y)
        (factor * loss).backward()
        if overflow and factor != 1:
            next(net.parameters()).grad[0] = torch.inf
        given = stated | (
            {"gradient_scale": factor} if "gradient_scale" in stated else {}
        )
        watched.step(logits.half() if half else logits, Y, loss, **given)
    watched.epoch(lr=0.1)
    logs = load_logs(root)
    (norm,) = logs.loc[logs["metric"] == "gradient_norm", "value"]
    return norm


def test_gradients_are_measured_without_the_scale_of_a_scaler(tmp_path):
    plain = one_step(tmp_path / "plain", half=False)
    stated = {"gradient_scale": None}
    assert one_step(tmp_path / "scaled", scale=2.0**16, **stated) == plain
    skipped = one_step(tmp_path / "over", scale=2.0**16, overflow=True, **stated)
    assert skipped == pytest.approx(plain, rel=0.2) and np.isfinite(skipped)
    with pytest.raises(UserError, match="logits are float16: say gradient_scale"):
        one_step(tmp_path / "silent", scale=2.0**16)


@pytest.mark.parametrize(
    ("trained_on", "stated", "sentence"),
    [
        (normalised, "unit", r"trained on inputs from -.* not in \[0, 1\]; say what"),
        (
            in_bytes,
            "unit",
            r"trained on inputs from 0 to 255, which are not in \[0, 1\]",
        ),
        (lambda x: x, "bytes", r"trained on inputs in \[0, 1\] .* not in \[0, 255\]"),
        (lambda x: x, (MEAN, STD), r"trained on inputs in \[0, 1\] .* not in \[-2"),
        (in_bytes, (MEAN, STD), r"trained on inputs from 0 to 255.* not in \[-2"),
    ],
)
def test_inputs_of_another_kind_than_was_said_are_refused_at_the_first_step(
    tmp_path, trained_on, stated, sentence
):
    given = {"unit": lambda x: x, "bytes": in_bytes}.get(str(stated), as_uint8)
    with pytest.raises(UserError, match=sentence):
        rows(tmp_path, conv_net(), trained_on, given=given, inputs=stated)


@pytest.mark.parametrize(
    ("given", "stated", "sentence"),
    [
        (
            normalised,
            "unit",
            r"images must be in \[0, 1\], got -.*inputs=\(mean, std\)",
        ),
        (lambda x: x, "bytes", r"images are in \[0, 1\] .* not in \[0, 255\]"),
        (lambda x: x, (MEAN, STD), r"images are in \[0, 1\] .* not in \[-2"),
        (in_bytes, (MEAN, STD), r"images must be in \[-2, 3\], got 0 to 255"),
        (normalised, ((125.3, 123.0), (63.0, 62.1)), "mean must be in .0, 1. "),
        (
            normalised,
            ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
            "for 3 channels, and .* have 2",
        ),
        (normalised, ((0.5,), (0.5, 0.5)), "mean must have one value per channel"),
        (normalised, "imagenet", 'inputs must be "unit" .* got .imagenet.'),
        (
            lambda x: x.permute(0, 2, 3, 1)[..., :1],
            "unit",
            r"looks like \(N, H, W, C\)",
        ),
    ],
)
def test_images_of_another_kind_than_was_said_are_refused_at_once(
    tmp_path, given, stated, sentence
):
    with pytest.raises(UserError, match=sentence):
        rows(tmp_path, conv_net(), given=given, inputs=stated)


def test_classes_of_a_step_that_have_no_logit_are_refused(tmp_path):
    net = conv_net()
    watched = watch(net, train=(X, Y), test=(X, Y), epochs=1, store=tmp_path)
    loss = nn.functional.cross_entropy(logits := net(X), Y)
    for wrong, sentence in (
        (
            Y + 1,
            "classes of the step must be from 0 to 2, .* got 1 to 3; classes count",
        ),
        (Y - 100, "got -100 to -98"),
        (Y[:5], r"expected 40 classes \(B,\) as whole numbers, got \(5,\)"),
        (Y.float(), "got .* of torch.float32"),
        (nn.functional.one_hot(Y), r"got \(40, 3\) of torch.int64"),
    ):
        with pytest.raises(UserError, match=sentence):
            watched.step(logits, wrong, loss)
    with pytest.raises(UserError, match="step's logits have 2 classes, .* watched 3"):
        watched.step(logits[:, :2], Y, loss)


def test_no_network_and_one_that_takes_no_such_images_are_refused(tmp_path):
    options = {"train": (X, Y), "test": (X, Y), "epochs": 1, "store": tmp_path}
    with pytest.raises(UserError, match="expected a network .* got function"):
        watch(lambda x: x, **options)
    with pytest.raises(UserError, match="the network has no parameters"):
        watch(nn.Flatten(), **options)
    with pytest.raises(
        UserError, match=r"does not take images \(2, 2, 4, 4\): Runtime"
    ):
        watch(conv_net(channels=3), **options)
    net = conv_net()
    forward = net.forward
    net.forward = lambda x: forward(x)  # a copy of net would run net, in train mode
    with pytest.raises(UserError, match="forward of the network was replaced by a fun"):
        watch(net, **options)
    with pytest.raises(UserError, match="train must be a pair .* got Tensor"):
        watch(conv_net(), **options | {"train": X})


def test_epoch_inside_autocast_and_without_gradients_is_as_outside(tmp_path, plain):
    net = conv_net()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        watched = watch(
            net, train=(X, Y), test=(X_TEST, Y_TEST), epochs=1, eval_steps=3,
            store=tmp_path,
        )  # fmt: skip
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for index in torch.arange(40).chunk(2):
        loss = nn.functional.cross_entropy(logits := net(X[index]), Y[index])
        optimizer.zero_grad()
        loss.backward()
        watched.step(logits, Y[index], loss)
        optimizer.step()
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        watched.epoch(lr=0.1)
    logs = load_logs(tmp_path)
    same(logs.drop(columns=[name for name in OWN if name in logs]), plain)
