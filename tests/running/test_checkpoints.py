"""A network under evaluation: that of the file, in eval mode, with its run's images."""

from pathlib import Path

import pytest
import torch
from evaluated_runs import SPEC, evaluated, load, trained
from training_helpers import CPU

from rofit.running import components
from rofit.running.checkpoints import load_checkpoint
from rofit.store.evaluations import evaluations


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run, trained once."""
    return trained(tmp_path_factory.mktemp("trained"))


def test_subject_is_the_network_of_the_checkpoint_in_eval_mode(run):
    subject = load(run)
    net = subject.network
    assert not any(module.training for module in net.modules())
    assert not any(parameter.requires_grad for parameter in net.parameters())
    state = torch.load(run.checkpoints / "last.pt", weights_only=True)
    twin = components.initial_model(SPEC, components.load_data(SPEC, Path()))
    twin.load_state_dict(state["model"])
    with torch.no_grad():
        assert torch.equal(net(subject.images.x), twin.eval()(subject.images.x))
    assert (subject.spec, subject.name, subject.epoch) == (SPEC, "last", 2)
    assert subject.n_classes == 10


def test_images_and_their_positions_are_the_runs_test_split(run):
    images, data = load(run).images, components.load_data(SPEC, Path())
    split = components.split_of(SPEC, data)
    assert torch.equal(images.x, torch.from_numpy(split.test.pixels) / 255)
    assert torch.equal(images.y, torch.from_numpy(split.test.labels))
    assert images.index == split.test_index.tolist() and len(images.index) == 64
    assert images.x.dtype == torch.float32 and images.x.max() == 1
    again = torch.from_numpy(data.test.pixels[images.index]) / 255
    assert torch.equal(images.x, again)


def changed(run, path, change):
    """Save the run's last checkpoint after a change; load it."""
    state = torch.load(run.checkpoints / "last.pt", weights_only=True)
    change(state)
    path.parent.mkdir(exist_ok=True)
    torch.save(state, path)
    return load_checkpoint(path, data=Path(), device=CPU)


def test_run_in_another_precision_is_evaluated_in_fp32(run, tmp_path):
    def bf16(state):
        state["spec"]["precision"] = "bf16"

    net = changed(run, tmp_path / "last.pt", bf16).network
    assert {parameter.dtype for parameter in net.parameters()} == {torch.float32}


def test_same_weights_saved_anew_are_the_same_evaluation(run, tmp_path):
    def laid_out_anew(state):
        state["model"] = {k: v.clone().contiguous() for k, v in state["model"].items()}
        state["model"] = dict(reversed(state["model"].items()))

    first = load(run)
    again = changed(run, tmp_path / "copy" / "last.pt", laid_out_anew)
    assert again.digest == first.digest
    folder, _ = evaluated(first, tmp_path, "clean")
    evaluated(again, tmp_path, "clean")
    own, elsewhere = sorted(evaluations(folder), key=lambda r: len(r["checkpoint"]))
    assert elsewhere["checkpoint"] == f"last-{first.digest[:8]}"
    names = ("name", "checkpoint")
    assert [{k: v for k, v in r.items() if k not in names} for r in (own,)] == [
        {k: v for k, v in elsewhere.items() if k not in names}
    ]  # its seconds too: it was not made again


@pytest.mark.parametrize("name", ["classifier.bias", "running_mean", "stem"])
def test_changed_weight_is_another_evaluation(run, tmp_path, name):
    """By the smallest step a float can make."""

    def nudge(state):
        key = next(key for key in state["model"] if name in key)
        value = state["model"][key]
        flat = value.flatten().clone()
        flat[0] = torch.nextafter(flat[0], torch.tensor(9.0))
        state["model"][key] = flat.view(value.shape)

    first, other = load(run), changed(run, tmp_path / "copy" / "last.pt", nudge)
    assert other.digest != first.digest
    for subject in (first, other):
        folder, _ = evaluated(subject, tmp_path, "clean")
    assert {r["network"] for r in evaluations(folder)} == {first.digest, other.digest}
