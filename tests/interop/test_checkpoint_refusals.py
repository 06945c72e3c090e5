"""Files that are no network rofit knows: one sentence each, and nothing is executed."""

import gzip
import json
import os
import pickle
import zipfile

import pytest
import torch
from command_line import is_one_sentence, rofit
from their_networks import PreActResNet, WideResNet, settled
from torch import nn

NET = settled(PreActResNet(width=4, c=1))
LEGACY = {"_use_new_zipfile_serialization": False}


class Code:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def refused(path, sentence, *options):
    """Assert that the file is refused in one sentence, and no run is made of it."""
    home = path.parent
    words = ("import", "checkpoint", path, "--dataset", "digits", *options)
    is_one_sentence(rofit(home, *words), sentence)
    assert not list(home.glob("runs/*/spec.json"))


BYTES = {
    "empty": (b"", "is empty"),
    "html": (b"\n<!DOCTYPE html><html>Quota exceeded</html>", "is a web page"),
    "text": (b"epoch 1 loss 2.3\n" * 9, "neither torch.save nor safetensors begins"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS"),
    "gzip": (gzip.compress(b"weights", mtime=0), "is no checkpoint but a gzip archive"),
    "numpy": (b"\x93NUMPY\x01\x00", "is no checkpoint but an array of NumPy"),
    "zip begun": (b"PK\x03\x04" + bytes(99), "is damaged or cut off"),
    "pickle": (pickle.dumps({"conv1.weight": [1.0]}), "is damaged or cut off"),
    "pickle cut": (b"\x80\x04\x95", "is damaged or cut off"),
    "zeros": (bytes(4096), "neither torch.save nor safetensors begins"),
    "header": (b"\x10\0\0\0\0\0\0\0{not json at all}", "is damaged or cut off"),
    "tar": (bytes(257) + b"ustar" + bytes(300), "a tar archive: unpack it"),
}


@pytest.mark.parametrize("name", BYTES)
def test_bytes_that_are_no_checkpoint_are_called_what_they_are(tmp_path, name):
    content, sentence = BYTES[name]
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    refused(path, f"{path} {sentence}" if sentence.startswith("is ") else sentence)


def test_folders_and_files_that_are_not_there_are_refused(tmp_path):
    (tmp_path / "model.pth").mkdir()
    refused(tmp_path / "model.pth", "is a folder, expected a checkpoint file")
    refused(tmp_path / "other.pth", "there is no checkpoint file")
    os.mkfifo(tmp_path / "pipe.pth")
    refused(tmp_path / "pipe.pth", "there is no checkpoint file")


@pytest.mark.parametrize("options", [{}, LEGACY], ids=["zip", "legacy"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 0.999])
def test_truncated_files_are_called_cut_off(tmp_path, options, share):
    path = tmp_path / "model.pth"
    torch.save(NET.state_dict(), path, **options)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    refused(path, f"{path} is damaged or cut off")


def test_one_changed_byte_among_the_numbers_is_noticed(tmp_path):
    path = tmp_path / "model.pth"
    torch.save(NET.state_dict(), path)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    refused(path, "is damaged or cut off (the checksum of")


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_safetensors_that_are_cut_off_are_refused(tmp_path, share):
    safetensors = pytest.importorskip("safetensors.torch")
    path = tmp_path / "model.safetensors"
    safetensors.save_file(NET.state_dict(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    refused(path, f"{path} is damaged or cut off")


def test_safetensors_header_that_points_outside_is_refused(tmp_path):
    pytest.importorskip("safetensors")
    about = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 1 << 40]}
    header = json.dumps({"conv1.weight": about}).encode()
    path = tmp_path / "model.pt"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
    refused(path, f"{path} is damaged or cut off")


def _legacy(value, path):
    torch.save(value, path, **LEGACY)


def _raw(protocol):
    return lambda value, path: path.write_bytes(pickle.dumps(value, protocol))


WRITERS = {"zip": torch.save, "legacy": _legacy, "2": _raw(2), "4": _raw(4)}


@pytest.mark.parametrize("writer", WRITERS)
def test_code_is_refused_by_its_name_and_not_run(tmp_path, writer):
    path, mark = tmp_path / "model.pth", tmp_path / "was run"
    state = {"state_dict": NET.state_dict(), "args": Code(mark)}
    WRITERS[writer](state if writer in ("zip", "legacy") else Code(mark), path)
    refused(path, "posix.mkdir, which is code and no weights: nothing of it was run")
    eval_words = ("eval", path, "--dataset", "digits")
    is_one_sentence(rofit(tmp_path, *eval_words), "posix.mkdir, which is code")
    assert not mark.exists()


def test_whole_module_is_refused_by_its_class(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "model.pth")
    refused(tmp_path / "model.pth", "asks for torch.nn.modules.linear.Linear, which")


def test_torchscript_and_other_archives_are_called_what_they_are(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.pth", "w") as archive:
        archive.writestr("notes.txt", "none")
    refused(tmp_path / "model.pth", "is a zip archive, and none that torch.save wrote")
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        for name in ("code/net.py", "constants.pkl", "data.pkl"):
            archive.writestr(f"script/{name}", "x")
    refused(tmp_path / "script.pt", "is a TorchScript program")


def _without(key):
    return {k: v for k, v in NET.state_dict().items() if k != key}


def _with(**more):
    return NET.state_dict() | {k.replace("__", "."): v for k, v in more.items()}


OPTIMIZER = torch.optim.SGD(NET.parameters(), lr=0.1).state_dict()
TENSORS = {
    "tensor": (torch.zeros(3), "no network that rofit knows: it is a Tensor"),
    "numbers": ({"loss": 0.3, "epoch": 2}, "no tensors, only ['loss', 'epoch']"),
    "optimizer": (OPTIMIZER, "it is the state of an optimizer"),
    "other": (nn.LSTM(2, 2).state_dict(), "the first of 4 tensors are ['weight_ih"),
    "missing": (_without("layer2.0.conv1.weight"), "1 missing (stages.1.0.conv1.wei"),
    "no head": (_without("linear.bias"), "1 missing (classifier.bias)"),
    "left over": (_with(proj__weight=torch.ones(2)), "1 left over (proj.weight)"),
    "shape": (
        _with(layer1__0__bn1__weight=torch.ones(7)),
        "1 of another shape (stages.0.0.bn1.weight (7,) for (4,))",
    ),
    "nan": (_with(linear__bias=torch.full((10,), torch.nan)), "are not finite: class"),
    "complex": (
        _with(linear__bias=torch.ones(10, dtype=torch.complex64)),
        "classifier.bias in",
    ),
    "int8": (_with(linear__bias=torch.ones(10).char()), "no plain numbers: torch.int8"),
    "scalar stem": (_with(conv1__weight=torch.ones(())), " do not fit: "),
    "odd names": (
        {"stem.weight": torch.ones(4, 1, 3, 3), "stages.x": torch.ones(2)}
        | {"stages.0.0.conv1.weight": torch.ones(4, 4, 3, 3)},
        "do not fit",
    ),
    "meta": (_with(linear__bias=torch.ones(10, device="meta")), "no plain numbers"),
    "classes": (
        settled(PreActResNet(100, 4, c=1)).state_dict(),
        "has 100 classes, and digits has 10",
    ),
    "channels": (settled(PreActResNet(width=4)).state_dict(), "of another shape (stem"),
    "two": (
        _with(mean=torch.zeros(1), std=torch.ones(1))
        | {"normalize.mean": torch.ones(1), "normalize.std": torch.ones(1)},
        "several normalisers",
    ),
    "std of 0": (_with(mean=torch.zeros(1), std=torch.zeros(1)), "std must be in (0"),
    "ours": ({"spec": {}, "model": {}, "epoch": 1}, "is a checkpoint of rofit"),
}


@pytest.mark.parametrize("name", TENSORS)
def test_tensors_that_make_no_network_are_accounted_for(tmp_path, name):
    state, sentence = TENSORS[name]
    torch.save(state, tmp_path / "model.pth")
    refused(tmp_path / "model.pth", sentence)


def test_other_architecture_than_the_flag_says_lists_both_sides(tmp_path):
    path = tmp_path / "model.pth"
    torch.save(settled(WideResNet(10, 1, c=1)).state_dict(), path)
    refused(path, f"{path} and resnet18 do not fit: ", "--model", "resnet18")
    refused(path, "missing (trunk.bn1.bias, ", "--model", "resnet18")
    refused(path, " left over (bn.bias, ", "--model", "resnet18")
    refused(path, "of another shape (bn.bias (64,) for (128,)", "--model", "wrn_10_2")


def test_flags_that_contradict_the_file_are_refused(tmp_path):
    path = tmp_path / "model.pth"
    torch.save(_with(mean=torch.ones(1) / 2, std=torch.ones(1)), path)
    refused(path, "the file holds its normaliser (0.5/1)", "--normalise", "outside")
    torch.save(NET.state_dict(), path)
    for flag in ("middle", "0.5", "0.5/x", "1,2/3,4/5"):
        refused(path, "--normalise expects inside, outside, or", "--normalise", flag)
    refused(path, "mean must have one value per", "--normalise", "0.1,0.2/0.5")
    refused(path, "unknown weights 'ema'", "--weights", "ema")
    refused(path, "unknown form 'other'", "--form", "other")
    refused(path, "unknown model 'net'", "--model", "net")


def test_data_set_that_the_file_does_not_say_is_asked_for(tmp_path):
    path = tmp_path / "model.pth"
    torch.save(NET.state_dict(), path)
    answer = rofit(tmp_path, "import", "checkpoint", path)
    is_one_sentence(answer, "(1 channels, 10 classes): name it by --dataset or --data")
