"""What a network is stored as and behind does not matter: formats, prefixes, copies."""

import pytest
import torch
from imported_files import MEAN, STD, brought_in, same_function
from their_networks import GowalWideResNet, PreActResNet, ResNet, WideResNet, settled

pytestmark = pytest.mark.usefixtures("toys")
PREFIXES = ["model.", "net.backbone.", "0.", "module._orig_mod.model.1.", "_orig_mod."]


def small():
    """Return a network that TRADES' code might save."""
    return settled(WideResNet(10, 1, sub_block=True))


@pytest.mark.parametrize("prefix", PREFIXES)
def test_any_prefix_is_stripped(prefix, tmp_path):
    net = small()
    state = {prefix + key: value for key, value in net.state_dict().items()}
    same_function(brought_in(tmp_path / "m.pt", state)[1], net)


def test_wrappers_inside_of_a_network_are_stripped(tmp_path):
    net = small()
    state = {
        key.replace("layer.0.", "layer.0._orig_mod."): value
        for key, value in net.state_dict().items()
    }
    assert any("_orig_mod" in key for key in state)
    same_function(brought_in(tmp_path / "m.pt", state)[1], net)


@pytest.mark.parametrize("path", ["net", "a/b/c", "checkpoint/state_dict/0"])
def test_dictionaries_and_lists_are_looked_into(path, tmp_path):
    net = small()
    loaded = net.state_dict()
    for part in reversed(path.split("/")):
        loaded = [loaded] if part == "0" else {part: loaded, "epoch": 3}
    run, checkpoint = brought_in(tmp_path / "m.pt", loaded)
    same_function(checkpoint, net)
    assert run.origin.weights == path and checkpoint.epoch == 3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_fp32_once(dtype, tmp_path):
    net = small()
    state = {
        key: value.to(dtype) if value.is_floating_point() else value
        for key, value in net.state_dict().items()
    }
    net.load_state_dict(state)
    same_function(brought_in(tmp_path / "m.pt", state)[1], net)


def test_legacy_format_is_read(tmp_path):
    net, path = small(), tmp_path / "m.tar"
    torch.save(net.state_dict(), path, _use_new_zipfile_serialization=False)
    same_function(brought_in(path, path)[1], net)


@pytest.mark.parametrize("name", ["m.safetensors", "m.bin"])
def test_safetensors_are_read_whatever_they_are_called(name, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    net, path = small(), tmp_path / name
    safetensors.save_file(net.state_dict(), path)
    same_function(brought_in(path, path)[1], net)


def test_files_from_before_torch_counted_batches_are_read(tmp_path):
    net = small()
    state = {k: v for k, v in net.state_dict().items() if "num_batches" not in k}
    run, checkpoint = brought_in(tmp_path / "m.pt", state)
    same_function(checkpoint, net)
    assert run.origin.unused == len([k for k in state if "sub_block" in k]) == 10


def test_torchvisions_names_of_a_resnet_are_known(tmp_path):
    net = settled(ResNet())
    state = {
        key.replace("shortcut", "downsample").replace("linear", "fc"): value
        for key, value in net.state_dict().items()
    }
    same_function(brought_in(tmp_path / "m.pt", state)[1], net)


def test_blocks_and_widths_that_no_name_has_are_fields_of_the_run(tmp_path):
    net = settled(PreActResNet(blocks=(3, 1, 2), width=4))
    run, checkpoint = brought_in(tmp_path / "m.pt", net.state_dict())
    same_function(checkpoint, net, MEAN, STD)
    assert (run.spec.width, run.spec.blocks) == (4, (3, 1, 2))


def test_rofits_own_names_are_known(tmp_path):
    net = small()
    first, checkpoint = brought_in(tmp_path / "m.pt", net.state_dict())
    state = torch.load(first.file, weights_only=True)["model"]
    (tmp_path / "2").mkdir()
    again, copied = brought_in(tmp_path / "2" / "m.pt", {"model": state})
    same_function(copied, net)
    assert again.origin.layout.name == "rofit" and copied.digest == checkpoint.digest


@pytest.mark.parametrize("kind", ["copies", "teacher"])
def test_the_networks_beside_are_left_there_and_named(kind, tmp_path):
    """Averaged ones are taken first, teachers and copies for attacks last."""
    net, other = small(), settled(WideResNet(10, 1, sub_block=True), seed=4)
    names = {"copies": ("model_ema", "model"), "teacher": ("net", "teacher")}[kind]
    state = {
        f"{name}.{key}": value
        for name, which in zip(names, (net, other), strict=True)
        for key, value in reversed(which.state_dict().items())
    }
    run, checkpoint = brought_in(tmp_path / "m.pt", dict(reversed(state.items())))
    same_function(checkpoint, net)
    assert (run.origin.weights, run.origin.others) == (names[0], (names[1],))
    (tmp_path / "2").mkdir()
    chosen = brought_in(tmp_path / "2" / "m.pt", state, weights=names[1])[1]
    same_function(chosen, other)


def test_form_and_activation_that_keys_do_not_say_come_from_flags(tmp_path):
    raw = settled(PreActResNet(raw=True))
    _, checkpoint = brought_in(tmp_path / "m.pt", raw.state_dict(), form="raw_shortcut")
    same_function(checkpoint, raw, MEAN, STD)
    relu = settled(GowalWideResNet(10, 1, act=torch.relu, mean=MEAN, std=STD))
    path = tmp_path / "relu.pt"
    _, checkpoint = brought_in(path, relu.state_dict(), activation="relu")
    same_function(checkpoint, relu)
    half = settled(GowalWideResNet(10, 1, mean=[0.5], std=[0.25]))
    path = tmp_path / "half.pt"
    _, checkpoint = brought_in(path, half.state_dict(), normalise="0.5/0.25")
    same_function(checkpoint, half)


@pytest.mark.parametrize(
    ("dataset", "k", "mean", "std"),
    [
        ("cifar100", 100, [0.5071, 0.4865, 0.4409], [0.2673, 0.2564, 0.2762]),
        ("svhn", 10, [0.5], [0.5]),
    ],
)
def test_constants_in_the_code_of_gowal_are_those_of_the_data_set(
    dataset, k, mean, std, tmp_path
):
    net = settled(GowalWideResNet(10, 1, k, mean=mean, std=std))
    run, checkpoint = brought_in(tmp_path / "m.pt", net.state_dict(), dataset=dataset)
    same_function(checkpoint, net)
    assert run.spec.form == "deepmind" and run.spec.activation == "silu"
