"""Evaluations of a trained run's checkpoints: what is kept, and what it depends on."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from evaluated_runs import SPEC, doubled, evaluated, load, trained
from training_helpers import CPU

from rofit import parts
from rofit.attacks.compiled import why_not
from rofit.attacks.geometry import into_ball, start
from rofit.attacks.pgd import PGD
from rofit.errors import UserError
from rofit.evaluation.cases import read_cases
from rofit.evaluation.mill import COLUMNS
from rofit.evaluations import evaluations, verdicts
from rofit.losses import cross_entropy
from rofit.seeding import generator
from rofit.subject import load_subject
from rofit.training.stop import Stop


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run, trained once."""
    return trained(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def subject(run):
    """Its last network, in float64."""
    return doubled(run)


@pytest.fixture
def passed(subject):
    """The numbers of images that pass through the network, as they do."""
    seen = []
    handle = subject.network.register_forward_hook(
        lambda module, given, logits: seen.append(len(given[0]))
    )
    yield seen
    handle.remove()


def tables(folder):
    """Return the verdicts of all evaluations there, by attack."""
    return {r["attack"]: verdicts(folder, r["name"]) for r in evaluations(folder)}


def same(one, other):
    assert one.keys() == other.keys()
    for attack, table in one.items():
        pd.testing.assert_frame_equal(table, other[attack])


def _naive(subject, i, steps, restarts):
    """Return stages and the one that fooled, of image i attacked by itself."""
    x, y, net = subject.images.x[[i]], subject.images.y[[i]], subject.network
    if net(x).argmax() != y:
        return 1, "clean"
    attack = PGD(SPEC.threat, steps, SPEC.step_size)
    for k in range(restarts):
        stream = generator(0, "evaluation", "pgd", k, subject.images.index[i])
        begin = start(SPEC.threat, x.shape, stream)
        x_adv = into_ball(SPEC.threat, x, attack(net, x, cross_entropy, y, begin))
        if net(x_adv).argmax() != y:
            return 2 + k, f"pgd3x2 {k + 1}"
    return 1 + restarts, ""


def test_verdicts_are_those_of_a_loop_over_images(subject, tmp_path):
    folder, done = evaluated(subject, tmp_path, "pgd3x2", n=40)
    assert done
    table = tables(folder)["pgd3x2"]
    assert list(table) == list(COLUMNS)
    assert table["index"].tolist() == subject.images.index[:40]
    assert table["class"].tolist() == subject.images.y[:40].tolist()
    wanted = [_naive(subject, i, 3, 2) for i in range(40)]
    found = table[["stages", "fooled_by"]].itertuples(index=False, name=None)
    assert list(found) == wanted
    assert {"clean", "pgd3x2 1", ""} <= set(table["fooled_by"])


def test_result_says_what_was_asked_of_what_and_the_sums(subject, tmp_path):
    folder, _ = evaluated(subject, tmp_path, "clean", "pgd3@0.1", n=40)
    clean, attacked = evaluations(folder)
    about = {"checkpoint": "last", "epoch": 2, "network": subject.digest}
    asked = {"attack": "pgd3", "norm": "linf", "epsilon": 0.1, "n": 40, "seed": 0}
    assert attacked.items() >= (about | asked | {"shards": 1}).items()
    assert attacked["step_size"] == pytest.approx(0.1 / 3)
    assert clean.items() >= (about | {"attack": "none", "epsilon": 0.0}).items()
    left = {
        attack: (t["fooled_by"] == "").mean() for attack, t in tables(folder).items()
    }
    assert attacked["accuracy"] == left["pgd3"] < clean["accuracy"] == left["none"]
    assert attacked["after"] == {"clean": left["none"], "pgd3": left["pgd3"]}
    assert attacked["environment"]["torch"] == torch.__version__
    assert (
        attacked["name"]
        == f"last-{read_cases(['pgd3@0.1'], SPEC, n=40)[0].key(subject.digest)}"
    )


def test_nothing_is_made_twice(subject, passed, tmp_path):
    folder, _ = evaluated(subject, tmp_path, "clean", "pgd3")
    files = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    passed.clear()
    assert evaluated(subject, tmp_path, "clean", "pgd3")[1] and not passed
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == files
    evaluated(subject, tmp_path, "clean", "pgd4", "pgd3")
    assert sum(passed) > 0 and set(tables(folder)) == {"none", "pgd3", "pgd4"}
    assert {path: path.read_bytes() for path in files} == files


def test_stopped_evaluation_goes_on_where_it_was_and_ends_as_an_unbroken_one(
    subject, passed, tmp_path
):
    whole, _ = evaluated(subject, tmp_path / "whole", "pgd3x2", n=15, chunk=4)
    unbroken = list(passed)
    passed.clear()
    stop, rounds = Stop(asked=lambda: True), 0
    while True:
        before, rounds = len(passed), rounds + 1
        folder, done = evaluated(
            subject, tmp_path / "cut", "pgd3x2", n=15, chunk=4, stop=stop
        )
        if done:
            break
        assert len(passed) - before <= 4, "one batch: three steps and the judgement"
        assert max(passed) <= 4
    assert rounds > 5 and passed == unbroken
    same(tables(folder), tables(whole))


def test_two_shards_merged_equal_one(subject, tmp_path):
    asked = ("clean", "pgd3x2", "square50")
    whole, _ = evaluated(subject, tmp_path / "whole", *asked, n=15)
    for shard in ((2, 2), (1, 2)):
        folder, done = evaluated(subject, tmp_path / "cut", *asked, n=15, shard=shard)
        assert done, "this share"
        assert bool(evaluations(folder)) == (shard == (1, 2))
    same(tables(folder), tables(whole))
    keys = ("name", "accuracy", "after", "n")
    results = [[[r[k] for k in keys] for r in evaluations(f)] for f in (folder, whole)]
    assert results[0] == results[1]
    assert {result["shards"] for result in evaluations(folder)} == {2}


def test_another_number_of_shards_in_the_middle_is_refused(subject, tmp_path):
    evaluated(subject, tmp_path, "pgd3", shard=(1, 2))
    with pytest.raises(UserError, match=r"begun in 2 shard\(s\), not 3"):
        evaluated(subject, tmp_path, "pgd3", shard=(1, 3))


def test_batch_size_changes_no_verdict(subject, tmp_path):
    asked = ("clean", "fgsm", "pgd3x2", "cw5", "apgd-ce", "square50")
    found = []
    for chunk in (1, 3, 64):
        folder, done = evaluated(
            subject, tmp_path / str(chunk), *asked, n=8, chunk=chunk
        )
        assert done
        found.append(tables(folder))
    same(found[0], found[1])
    same(found[0], found[2])
    assert {len(set(table["fooled_by"])) for table in found[0].values()} == {2, 3}


def test_compiled_engine_agrees_with_eager(run, tmp_path):
    """Fused kernels round otherwise, which turns the sign of gradients near zero: one
    verdict of 64 may differ."""
    if reason := why_not(CPU):
        pytest.skip(f"nothing is compiled here: {reason}")
    found = []
    for engine in ("eager", "compiled"):
        folder, done = evaluated(
            load(run), tmp_path / engine, "pgd3", n=64, engine=engine
        )
        assert done
        found.append(tables(folder)["pgd3"]["fooled_by"] == "")
    assert (found[0] != found[1]).sum() <= 1
    assert 10 < found[0].sum() < 50


def test_unknown_engine_is_refused_before_anything_is_made(subject, tmp_path):
    with pytest.raises(UserError, match="unknown engine 'fast'"):
        evaluated(subject, tmp_path, "clean", engine="fast")
    assert not list(tmp_path.iterdir())


def test_subject_is_the_network_of_the_checkpoint_in_eval_mode(run):
    subject = load(run)
    net = subject.network
    assert not any(module.training for module in net.modules())
    assert not any(each.requires_grad for each in net.parameters())
    state = torch.load(run.checkpoints / "last.pt", weights_only=True)
    twin = parts.initial_model(SPEC, parts.load_data(SPEC, Path()))
    twin.load_state_dict(state["model"])
    with torch.no_grad():
        assert torch.equal(net(subject.images.x), twin.eval()(subject.images.x))
    assert (subject.spec, subject.name, subject.epoch) == (SPEC, "last", 2)
    assert subject.n_classes == 10


def test_images_and_their_positions_are_the_runs_test_split(run):
    images, data = load(run).images, parts.load_data(SPEC, Path())
    wanted = parts.split_of(SPEC, data)
    assert torch.equal(images.x, torch.from_numpy(wanted.test.pixels) / 255)
    assert torch.equal(images.y, torch.from_numpy(wanted.test.labels))
    assert images.index == wanted.test_index.tolist() and len(images.index) == 64
    assert images.x.dtype == torch.float32 and images.x.max() == 1
    again = torch.from_numpy(data.test.pixels[images.index]) / 255
    assert torch.equal(images.x, again)


def changed(run, path, change):
    """Save the run's last checkpoint after a change; load it."""
    state = torch.load(run.checkpoints / "last.pt", weights_only=True)
    change(state)
    path.parent.mkdir(exist_ok=True)
    torch.save(state, path)
    return load_subject(path, data=Path(), device=CPU)


def test_run_in_another_precision_is_evaluated_in_fp32(run, tmp_path):
    def bf16(state):
        state["spec"]["precision"] = "bf16"

    net = changed(run, tmp_path / "last.pt", bf16).network
    assert {each.dtype for each in net.parameters()} == {torch.float32}


def test_same_weights_saved_anew_are_the_same_evaluation(run, tmp_path):
    def laid_out_anew(state):
        state["model"] = {k: v.clone().contiguous() for k, v in state["model"].items()}
        state["model"] = dict(reversed(state["model"].items()))

    first = load(run)
    again = changed(run, tmp_path / "copy" / "last.pt", laid_out_anew)
    assert again.digest == first.digest
    folder, _ = evaluated(first, tmp_path, "clean")
    evaluated(again, tmp_path, "clean")
    assert len(evaluations(folder)) == 1


@pytest.mark.parametrize("name", ["classifier.bias", "running_mean", "stem"])
def test_changed_weight_is_another_evaluation(run, tmp_path, name):
    """By the smallest step a float can make."""

    def nudge(state):
        key = next(key for key in state["model"] if name in key)
        value = state["model"][key].view(-1) if False else state["model"][key]
        flat = value.flatten().clone()
        flat[0] = torch.nextafter(flat[0], torch.tensor(9.0))
        state["model"][key] = flat.view(value.shape)

    first, other = load(run), changed(run, tmp_path / "copy" / "last.pt", nudge)
    assert other.digest != first.digest
    for subject in (first, other):
        folder, _ = evaluated(subject, tmp_path, "clean")
    assert {r["network"] for r in evaluations(folder)} == {first.digest, other.digest}
