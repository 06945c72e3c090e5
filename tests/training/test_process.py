"""What a process that trains or evaluates has set, read off torch's flags."""

import warnings
from types import SimpleNamespace

import pytest
import torch

from rofit.training import process
from rofit.training.process import prepare, without_tf32

PRECISIONS = ("fp32", "tf32", "bf16")
CUDNN, MATMUL = torch.backends.cudnn, torch.backends.cuda.matmul
# What Inductor says where a GPU has TF32 and products are in fp32.
HINT = (
    "TensorFloat32 tensor cores for float32 matrix multiplication available but not "
    "enabled. Consider setting `torch.set_float32_matmul_precision('high')`"
)


@pytest.fixture(autouse=True)
def flags(monkeypatch):
    """Put the flags back, and leave no word in the environment."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    before = CUDNN.allow_tf32, MATMUL.allow_tf32, CUDNN.benchmark
    yield
    CUDNN.allow_tf32, MATMUL.allow_tf32, CUDNN.benchmark = before
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = True


@pytest.mark.parametrize("precision", PRECISIONS)
def test_tf32_is_allowed_for_tf32_and_nothing_else(precision):
    for before in (True, False):
        CUDNN.allow_tf32 = MATMUL.allow_tf32 = before
        prepare(precision)
        assert (CUDNN.allow_tf32, MATMUL.allow_tf32) == (precision == "tf32",) * 2


def test_convolutions_are_timed_unless_the_process_is_deterministic():
    prepare("fp32")
    assert CUDNN.benchmark
    prepare("fp32", deterministic=True)
    assert not CUDNN.benchmark
    prepare("fp32")  # an evaluation after deterministic runs
    assert not CUDNN.benchmark and torch.are_deterministic_algorithms_enabled()


def test_deterministic_process_does_not_fill_memory_that_is_written_anyway():
    prepare("fp32")
    assert torch.utils.deterministic.fill_uninitialized_memory
    prepare("fp32", deterministic=True)
    assert not torch.utils.deterministic.fill_uninitialized_memory


@pytest.mark.parametrize("precision", PRECISIONS)
def test_hint_at_tf32_is_silent_where_it_was_not_chosen_and_others_are_heard(precision):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        prepare(precision)
        for text in (HINT, "TensorFloat32 is something else", "another warning"):
            warnings.warn(text, stacklevel=1)
    texts = [str(warning.message) for warning in caught]
    assert texts[-2:] == ["TensorFloat32 is something else", "another warning"]
    assert texts[:-2] == ([HINT] if precision == "tf32" else [])


@pytest.mark.parametrize(
    ("device", "capability", "without"),
    [("cpu", None, True), ("cuda", (7, 5), True), ("cuda", (8, 0), False)],
)
def test_tf32_is_there_from_ampere_on(monkeypatch, device, capability, without):
    monkeypatch.setattr(
        process.torch.cuda, "get_device_capability", lambda device: capability
    )
    assert without_tf32(torch.device(device)) == without


@pytest.mark.parametrize(
    ("machine", "onednn", "native", "without"),
    [
        ("x86_64", True, True, False),
        ("x86_64", True, False, True),  # AVX-512 without its bf16: emulated
        ("x86_64", False, False, True),
        ("AMD64", True, False, True),
        ("aarch64", True, False, False),
        ("aarch64", False, False, True),
    ],
)
def test_cpu_that_emulates_bf16_is_one_without_it(
    monkeypatch, machine, onednn, native, without
):
    monkeypatch.setattr(process.platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    supported = SimpleNamespace(_is_mkldnn_bf16_supported=lambda: onednn)
    monkeypatch.setattr(torch.ops, "mkldnn", supported)
    name = "_is_avx512_bf16_supported"
    monkeypatch.setattr(torch.cpu, name, lambda: native, raising=False)
    assert process.without_bf16(torch.device("cpu")) == without
    assert not process.without_bf16(torch.device("cuda"))
