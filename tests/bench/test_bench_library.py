"""The bench's table of AutoAttack through rofit and called plainly."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from claimed_device import CUDA, ClaimedDevice
from evaluated_runs import how
from training_helpers import CPU, digits, digits_net

from rofit.bench import library
from rofit.bench.library import library_rows
from rofit.bench.tables import bench
from rofit.bench.timing import Times
from rofit.errors import UserError
from rofit.evaluation.accuracy import CHUNK
from rofit.evaluation.cases import read_cases
from rofit.evaluation.verdicts import EvaluationImages
from rofit.running import evaluator
from rofit.running.checkpoints import LoadedCheckpoint
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunFolder
from rofit.training.engine import Engine


@pytest.fixture
def subject():
    """A small net on digits, inside a radius that leaves some of them."""
    x, y = digits("test")
    images = EvaluationImages(x[:24], y[:24], list(range(24)))
    network = Engine(digits_net(steps=40), "fp32").frozen
    return LoadedCheckpoint("last", 1, "", RunSpec(epsilon=0.2), network, images, 10)


def test_both_ways_attack_the_same_network_and_agree(subject, monkeypatch):
    pytest.importorskip("pyautoattack")

    def once(ways, *, rounds, device):
        for call in ways.values():
            call()
        return {"rofit": Times([1.0] * rounds), "pyautoattack": Times([3.0] * rounds)}

    monkeypatch.setattr(library, "interleaved", once)
    stream = torch.get_rng_state()
    ours, theirs = library_rows(subject, n=16, rounds=2)
    assert torch.equal(torch.get_rng_state(), stream)
    assert (ours["images/s"], ours["x as fast as plainly"]) == (16, 3)
    assert (theirs["seconds"], theirs["x as fast as plainly"]) == (3, 1)
    assert ours["same verdicts"] == theirs["same verdicts"] == "16/16"
    assert 0 <= ours["robust %"] == theirs["robust %"] < 100


class _Made(Exception):
    """The stages were about to be made: the rest is other tests'."""


@pytest.mark.parametrize(("device", "filled_to"), [(CPU, 0), (CUDA, CHUNK["cuda"])])
def test_bench_makes_the_stages_that_rofit_eval_makes(
    subject, device, filled_to, tmp_path, monkeypatch
):
    """A made-up GPU fills its batches up, in both."""
    made = []

    def make_stages(case, network, **given):
        made.append((case.attack, network, given["n_classes"], given["filled_to"]))
        raise _Made

    for module in (library, evaluator):
        monkeypatch.setattr(module, "make_stages", make_stages)
    with ClaimedDevice() if device == CUDA else nullcontext():
        x, y = subject.images.x.to(device), subject.images.y.to(device)
        there = replace(subject, images=EvaluationImages(x, y, subject.images.index))
        with pytest.raises(_Made):
            library_rows(there, n=16, rounds=2)
        cases = read_cases(["autoattack"], subject.spec, n=16)
        with pytest.raises(_Made):
            evaluator.evaluate_cases(
                there, RunFolder(tmp_path), cases, how(device=device)
            )
    assert made == 2 * [("autoattack", subject.network, 10, filled_to)]


def test_table_needs_a_trained_network():
    with pytest.raises(UserError, match="needs a trained network: --run RUN"):
        bench(("library",), (), batch_size=None, engine="eager", rounds=2, device=CPU)
