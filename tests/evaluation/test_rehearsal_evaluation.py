"""Diagnostics and evaluation as on a GPU, rehearsed without one, against the CPU's."""

from contextlib import nullcontext
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from claimed_device import CUDA, Claimed, ClaimedDevice, WrongDevice
from evaluated_runs import how
from torch import nn
from training_helpers import CPU, digits, digits_net

from rofit.attacks.pgd import PGD
from rofit.diagnostics import DIAGNOSTICS, Embedding, find_diagnostic
from rofit.diagnostics.diagnostic import EpochDiagnostic, StepView
from rofit.diagnostics.view import EpochView, Split
from rofit.evaluation.accuracy import measure_accuracy
from rofit.evaluation.cases import ATTACKS, WITHOUT_DLR, read_cases
from rofit.evaluation.verdicts import EvaluationImages
from rofit.losses import cross_entropy
from rofit.precision import PrecisionCopy
from rofit.running import evaluator
from rofit.running.checkpoints import LoadedCheckpoint
from rofit.running.checks import check
from rofit.seeding import generator
from rofit.settings.spec import RunSpec
from rofit.settings.threat import ThreatModel
from rofit.store.evaluations import evaluations, read_verdicts
from rofit.store.runs import RunFolder

SPEC = RunSpec(epochs=1, epsilon=0.1, step_size=0.05)
ATTACK = PGD(ThreatModel("linf", 0.1), 2, 0.05)
OF_EPOCHS = [n for n, d in DIAGNOSTICS.items() if issubclass(d, EpochDiagnostic)]
OF_STEPS = sorted(set(DIAGNOSTICS) - set(OF_EPOCHS))
N = 280  # images: more than the CPU's 250 a pass


class Counting(nn.Module):
    """A network that notes the sizes of its batches."""

    def __init__(self, network):
        super().__init__()
        self.network, self.sizes = network, []

    def forward(self, x):
        self.sizes.append(len(x))
        return self.network(x)


@cache
def trained(steps):
    return digits_net("preact_tiny", width=8, steps=steps)


def net(device, steps=20):
    return deepcopy(trained(steps)).to(device)


def on(device):
    """Return the context in which there is such a device."""
    return ClaimedDevice() if device == CUDA else nullcontext()


def view(device):
    """Return an epoch's end with noisy labels and softened ones, all on the device."""
    splits = {}
    for number, name in enumerate(("train", "val", "test")):
        x, true = (tensor[number * N :][:N].to(device) for tensor in digits())
        y = torch.where(torch.arange(N, device=device) % 3 == 0, (true + 1) % 10, true)
        given = y if name == "train" else true
        splits[name] = Split(lambda n, x=x: x[:n], given, true)
    train = splits["train"]
    model, initial = net(device), net(device, steps=0)
    return EpochView(
        spec=SPEC,
        epoch=1,
        model=model,
        network=PrecisionCopy(model, torch.float32).network,
        attack=ATTACK,
        splits=splits,
        redrawn=train.y != train.true,
        labels=lambda index: 0.7 * F.one_hot(train.y[index], 10).float() + 0.03,
        initial={n: p.detach().clone() for n, p in initial.named_parameters()},
    )


def measured(name, device):
    """Return rows without values, their values, and samples as they are written."""
    measurement = find_diagnostic(name)().measure(view(device))
    wrong = [k for k, v in measurement.samples.items() if v.device != device]
    assert not wrong, f"samples on another device: {wrong}"
    samples = {key: column.cpu().numpy() for key, column in measurement.samples.items()}
    values = [row.pop("value") for row in measurement.rows]
    return measurement.rows, values, samples


@pytest.mark.parametrize("name", OF_EPOCHS)
def test_diagnostic_of_an_epochs_end_measures_the_same_on_a_gpu(name):
    """Whole, up to what is written; other chunks round otherwise."""
    rows, values, samples = measured(name, CPU)
    with ClaimedDevice():
        there = measured(name, CUDA)
    assert there[0] == rows and there[1] == pytest.approx(values, rel=1e-3, abs=1e-5)
    assert rows or samples
    for key, column in samples.items():
        assert there[2][key] == pytest.approx(column, rel=1e-2, abs=1e-4), key


@pytest.mark.parametrize("name", OF_STEPS)
def test_diagnostic_of_steps_measures_the_same_on_a_gpu(name):
    def measure(device):
        model, (x, y) = net(device), (tensor[:8].to(device) for tensor in digits())
        soft, logits = F.one_hot(y, 10).float(), model(x)
        loss = cross_entropy(logits, y).mean()
        loss.backward()
        metrics = find_diagnostic(name)().measure(
            StepView(model, logits, y, soft, loss)
        )
        assert {value.device for value in metrics.values()} == {device}
        return {metric: value.item() for metric, value in metrics.items()}

    with ClaimedDevice():
        there = measure(CUDA)
    assert there == pytest.approx(measure(CPU), rel=1e-4)


def test_gpu_sees_the_diagnostics_images_in_one_pass():
    sizes = {}
    for device in (CPU, CUDA):
        with on(device):
            epoch_view = view(device)
            epoch_view.network = Counting(epoch_view.network)
            epoch_view.logits("test", ATTACK.name, N)
        sizes[device] = epoch_view.network.sizes
    assert sizes == {CPU: [250] * 2 + [30] * 2 + [250, 30], CUDA: [N] * 3}


def test_learning_curves_verdict_is_the_same_on_a_gpu():
    x, y = (tensor[:N] for tensor in digits())
    begin = 0.1 * (2 * torch.rand(x.shape, generator=generator(0, "start")) - 1)
    here = measure_accuracy(net(CPU), x, y, attack=ATTACK, start=begin)
    with ClaimedDevice():
        images = [tensor.to(CUDA) for tensor in (x, y, begin)]
        there = measure_accuracy(net(CUDA), *images[:2], attack=ATTACK, start=images[2])
        assert there.logits.device == CUDA
    assert (there.accuracy, there.n) == (here.accuracy, here.n)
    assert there.loss == pytest.approx(here.loss, rel=1e-5)


def subject(device, n_classes, seed=0):
    """Return a network under evaluation, nothing to be trained, and 24 test images."""
    network = Counting(net(device, steps=40 + seed).eval().requires_grad_(False))
    x, y = (tensor[:24].to(device) for tensor in digits("test"))
    images = EvaluationImages(x, y, [*range(24)])
    return LoadedCheckpoint("last", 1, f"ab{seed}", SPEC, network, images, n_classes)


NAMES = {"pgd": "pgd3x2", "cw": "cw3", "square": "square40"}
CLASSES = {"apgd-t": 4, "fab-t": 2}  # so few targets are time enough
LIBRARY = ("apgd-ce", "apgd-t", "fab-t", "square")


@pytest.mark.parametrize("kind", sorted({*ATTACKS} - {"autoattack", WITHOUT_DLR}))
def test_evaluation_finds_the_same_on_a_gpu(kind, tmp_path, monkeypatch):
    """From starts to verdicts and checks; AutoAttack is the library's four in turn."""
    if kind in LIBRARY:
        pytest.importorskip("pyautoattack")
    monkeypatch.setattr(evaluator, "device_name", lambda device: device.type)
    (case,) = read_cases([NAMES.get(kind, kind)], SPEC, n=24, source="ab1")
    tables, batches = [], []
    for device in (CPU, CUDA):
        folder = RunFolder(Path(tmp_path / device.type))
        folder.path.mkdir()
        with on(device):
            n_classes = CLASSES.get(kind, 10)
            judged = subject(device, n_classes)
            source = subject(device, n_classes, seed=1)
            execution = how(device=device, chunk=20)
            assert evaluator.evaluate_cases(
                judged, folder, [case], execution, source=source
            )
            check(judged, folder, case.norm, SPEC.epsilon)
        (result,) = evaluations(folder)
        tables.append(read_verdicts(folder, result["name"]))
        batches.append(set(judged.network.sizes))
    assert (tables[0] == tables[1]).all(axis=None)
    assert set(tables[0]["fooled_by"]) > {""}, "something to be found, and to be left"
    if kind in LIBRARY:
        assert len(batches[1]) < len(batches[0]), "filled up to few sizes"


def test_tensors_of_two_devices_and_a_generator_of_the_other_are_caught():
    with ClaimedDevice():
        x = torch.ones(3, 2, device=CUDA)
        assert isinstance(x, Claimed) and x.is_cuda and (2 * x).sum().item() == 12
        with pytest.raises(WrongDevice, match=r"aten.add.Tensor: tensors on cuda and"):
            x + torch.ones(2)
        assert x[torch.tensor([0, 2])].device == CUDA, "indices may come from the CPU"
        with pytest.raises(WrongDevice, match=r"aten.index.Tensor: tensors on cuda an"):
            torch.ones(3)[x[:, 0] > 0]
        with pytest.raises(WrongDevice, match=r"aten.rand.generator: a generator of"):
            torch.rand(3, generator=torch.Generator(), device=CUDA)
        with pytest.raises(WrongDevice, match=r"uniform_.default: a generator of the"):
            x.uniform_(generator=torch.Generator())
        with pytest.raises(RuntimeError, match=r"numpy\(\) is not supported"):
            x.numpy()
    with pytest.raises(WrongDevice, match="outside of ClaimedDevice"):
        x + x


def test_diagnostic_with_a_planted_mismatch_is_caught():
    with ClaimedDevice():
        epoch_view = view(CUDA)
        true = epoch_view.splits["test"].true.cpu()
        epoch_view.splits["test"] = replace(epoch_view.splits["test"], true=true)
        with pytest.raises(WrongDevice, match="tensors on cuda and on the CPU"):
            Embedding().measure(epoch_view)
