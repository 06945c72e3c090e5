"""Every method's training step as a GPU would have it, without one: tests/rehearsal.py.

No operation of a step mixes devices, draws, or waits for the device to read a number:
so none synchronises, and the whole step can be captured as a CUDA graph.
"""

import json

import pytest
import rehearsal
import torch
from claimed_device import WrongDevice
from few_images import few_images
from training_helpers import last_state, same, train

from rofit.attacks.captured import WARM_UP
from rofit.diagnostics import DIAGNOSTICS
from rofit.methods import METHODS
from rofit.store.runs import read_events, read_rows


@pytest.fixture
def spec(smoke_spec):
    """Four steps of 32 in the last epoch, crops and flips on."""
    return smoke_spec(batch_size=32, crop_pad=1, flip=True, blocks=(1,))


@pytest.fixture
def training(spec):
    """A function from changes of the run to a training on the device."""
    with rehearsal.device():
        yield lambda **changes: rehearsal.training(
            spec.replace(**changes), diagnostics=("gradient_norm",)
        )


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("method", METHODS)
def test_step_of_every_method_can_be_captured(training, method, precision):
    counts = rehearsal.operations(training(method=method, precision=precision))
    assert len(counts) == 3 and len(set(counts)) == 1
    assert counts[0] > 50


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("attack_bn", ["eval", "train"])
def test_step_of_either_norm_and_mode_can_be_captured(training, norm, attack_bn):
    run = training(method="sgls", norm=norm, epsilon=0.1, attack_bn=attack_bn)
    assert rehearsal.operations(run)


def _leaves_for_the_cpu(self, index, y):
    return torch.eye(10)[y.cpu()].to(y.device)


def _has_a_table_elsewhere(self, index, y):
    return torch.eye(10)[torch.zeros(len(y), dtype=torch.int64)] + 0 * index[:, None]


def _chooses_by_the_cpu(self, index, y):
    return torch.eye(10, device=y.device)[torch.zeros(len(y), dtype=torch.int64)]


def _reads_a_number(self, index, y):
    return torch.eye(10, device=y.device)[y] * float(index.sum())


def _chooses_rows(self, index, y):
    soft = torch.eye(10, device=y.device)[y]
    soft[y > 3] = torch.full((10,), 0.1, device=y.device)
    return soft


def _draws(self, index, y):
    return torch.rand((len(y), 10), device=y.device)


@pytest.mark.parametrize(
    ("planted", "error", "message"),
    [
        (_leaves_for_the_cpu, rehearsal.NotOnAGPU, "_to_copy.* on cpu and cuda"),
        (_has_a_table_elsewhere, WrongDevice, "tensors on cuda and on the CPU"),
        (_chooses_by_the_cpu, rehearsal.NotOnAGPU, "index.* on cpu and cuda"),
        (_reads_a_number, rehearsal.NotOnAGPU, "_local_scalar_dense.* waits"),
        (_chooses_rows, rehearsal.NotOnAGPU, "index_put_.* waits for the device"),
        (_draws, rehearsal.NotOnAGPU, "rand.* draws"),
    ],
)
def test_what_a_gpu_would_not_have_is_refused(training, planted, error, message):
    run = training()
    kind = type(run.method.labels)
    run.method.labels = type("Planted", (kind,), {"current": planted})(10)
    with pytest.raises(error, match=message):
        rehearsal.operations(run)


def test_captured_step_asks_the_device_a_few_times(training):
    """Loading and augmenting a batch, five copies, one graph: whatever the network."""
    run = training(method="sgls", train_size=32 * (WARM_UP + 2))
    counts = rehearsal.launches(run)
    assert len(counts) == WARM_UP + 2
    eager, captured = counts[WARM_UP - 1], counts[WARM_UP + 1]
    assert eager > 150
    assert captured <= 40


@pytest.mark.parametrize("method", ["sgls", "adr_ema_awp", "kd_swa"])
def test_whole_run_on_the_device_keeps_the_rows_of_the_cpu(spec, method, tmp_path):
    """Every diagnostic watching; stopped in the second epoch and gone on with."""
    spec = spec.replace(method=method, train_size=64)
    every = {"diagnostics": tuple(DIAGNOSTICS), "engine": "eager"}
    with few_images():
        expected, _ = train(spec, tmp_path / "cpu", **every)
    with few_images(), rehearsal.device():
        for stop_after in (3, None):
            folder, done = train(
                spec,
                tmp_path / "gpu",
                stop_after=stop_after,
                device=rehearsal.CUDA,
                **every,
            )
    assert done
    same(last_state(folder), last_state(expected))
    # Diagnostics take more images at a time there, and sum in another order.
    for row, other in zip(
        read_rows(folder.path), read_rows(expected.path), strict=True
    ):
        assert row == other | {"value": pytest.approx(other["value"], rel=1e-5)}
    *_, resume, stop = read_events(folder.path)
    assert (resume["event"], resume["file"]) == ("resume", "last.pt")
    assert stop["peak_gpu_gib"] == 1
    assert json.loads((folder.path / "env.json").read_text())["device"] == "rehearsed"
