"""Every method's training step as a GPU would have it, without one: tests/rehearsal.py.

No operation of a step mixes devices, draws, or waits for the device to read a number:
so none synchronises, and the whole step can be captured as a CUDA graph.
"""

import pytest
import rehearsal
import torch

from rofit.attacks.captured import WARM_UP
from rofit.methods import METHODS


@pytest.fixture
def spec(smoke_spec):
    """Four steps of 32 in the last epoch, crops and flips on."""
    return smoke_spec(batch_size=32, crop_pad=1, flip=True)


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
    assert counts[0] > 100


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
    soft[y > 3] = 0.1
    return soft


def _draws(self, index, y):
    return torch.rand((len(y), 10), device=y.device)


@pytest.mark.parametrize(
    ("planted", "error", "told"),
    [
        (_leaves_for_the_cpu, NotImplementedError, "Cannot copy out of meta tensor"),
        (_has_a_table_elsewhere, RuntimeError, "not on the expected device"),
        (_chooses_by_the_cpu, rehearsal.NotOnAGPU, "tensors on cpu and meta"),
        (_reads_a_number, RuntimeError, "item.. cannot be called on meta"),
        (_chooses_rows, rehearsal.NotOnAGPU, "index_put_.* waits for the device"),
        (_draws, rehearsal.NotOnAGPU, "rand.* draws"),
    ],
)
def test_what_a_gpu_would_not_have_is_refused(training, planted, error, told):
    run = training()
    kind = type(run.method.labels)
    run.method.labels = type("Planted", (kind,), {"current": planted})(10)
    with pytest.raises(error, match=told):
        rehearsal.operations(run)


def test_captured_step_asks_the_device_a_few_times(training):
    """Loading and augmenting a batch, five copies, one graph: whatever the network."""
    run = training(method="sgls", train_size=32 * (WARM_UP + 2))
    counts = rehearsal.launches(run)
    assert len(counts) == WARM_UP + 2
    eager, captured = counts[WARM_UP - 1], counts[WARM_UP + 1]
    assert eager > 300
    assert captured <= 40
