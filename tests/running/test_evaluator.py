"""Evaluations of a trained run's checkpoints: what is kept, and what it depends on."""

from dataclasses import replace

import pandas as pd
import pytest
import torch
from evaluated_runs import SPEC, evaluated, how, load

from rofit.attacks.geometry import into_ball, start
from rofit.attacks.pgd import PGD
from rofit.errors import UserError
from rofit.evaluation.cases import Case, read_cases
from rofit.evaluation.verdicts import COLUMNS
from rofit.losses import cross_entropy
from rofit.running.evaluator import evaluate_cases
from rofit.seeding import generator
from rofit.store.evaluations import evaluations, read_verdicts
from rofit.store.runs import RunFolder
from rofit.training.stop import Stop


@pytest.fixture
def passed(subject):
    """The numbers of images that pass through the network, as they do."""
    batch_sizes = []
    handle = subject.network.register_forward_hook(
        lambda module, given, logits: batch_sizes.append(len(given[0]))
    )
    yield batch_sizes
    handle.remove()


def tables(folder):
    """Return the verdicts of all evaluations there, by attack."""
    return {r["attack"]: read_verdicts(folder, r["name"]) for r in evaluations(folder)}


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
    expected = [_naive(subject, i, 3, 2) for i in range(40)]
    actual = table[["stages", "fooled_by"]].itertuples(index=False, name=None)
    assert list(actual) == expected
    assert {"clean", "pgd3x2 1", ""} <= set(table["fooled_by"])


def test_result_says_what_was_asked_of_what_and_the_sums(subject, tmp_path):
    folder, _ = evaluated(subject, tmp_path, "clean", "pgd3@0.1", n=40)
    clean, attacked = evaluations(folder)
    about = {"checkpoint": "last", "epoch": 2, "network": subject.digest}
    requested = {"attack": "pgd3", "norm": "linf", "epsilon": 0.1, "n": 40, "seed": 0}
    assert attacked.items() >= (about | requested | {"shards": 1}).items()
    assert attacked["step_size"] == pytest.approx(0.1 / 3)
    assert clean.items() >= (about | {"attack": "none", "epsilon": 0.0}).items()
    by_attack = tables(folder).items()
    left = {attack: (table["fooled_by"] == "").mean() for attack, table in by_attack}
    assert attacked["accuracy"] == left["pgd3"] < clean["accuracy"] == left["none"]
    assert attacked["after"] == {"clean": left["none"], "pgd3": left["pgd3"]}
    assert attacked["environment"]["versions"]["torch"]
    (case,) = read_cases(["pgd3@0.1"], SPEC, n=40)
    assert attacked["name"] == f"last-{case.key(subject.digest)}"


def test_nothing_is_made_twice(subject, passed, tmp_path):
    folder, _ = evaluated(subject, tmp_path, "clean", "pgd3")
    files = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    passed.clear()
    assert evaluated(subject, tmp_path, "clean", "pgd3")[1] and not passed
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == files
    evaluated(subject, tmp_path, "clean", "pgd4", "pgd3")
    assert sum(passed) > 0 and set(tables(folder)) == {"none", "pgd3", "pgd4"}
    assert {path: path.read_bytes() for path in files} == files


def test_checkpoints_of_the_same_weights_are_evaluated_once(subject, passed, tmp_path):
    evaluated(subject, tmp_path, "clean", "pgd3")
    passed.clear()
    best = replace(subject, name="best")
    folder, done = evaluated(best, tmp_path, "clean", "pgd3")
    assert done and not passed
    results = {(r["checkpoint"], r["attack"]): r for r in evaluations(folder)}
    assert len(results) == 4
    for attack in ("none", "pgd3"):
        one, other = results["best", attack], results["last", attack]
        assert one["accuracy"] == other["accuracy"] and one["after"] == other["after"]
        pair = [read_verdicts(folder, result["name"]) for result in (one, other)]
        pd.testing.assert_frame_equal(*pair)


def test_stopped_evaluation_goes_on_where_it_was_and_ends_as_an_unbroken_one(
    subject, passed, tmp_path
):
    whole, _ = evaluated(subject, tmp_path / "whole", "pgd3x2", n=15, chunk=4)
    unbroken = list(passed)
    passed.clear()
    stop, rounds = Stop(requested=lambda: True), 0
    while True:
        before, rounds = len(passed), rounds + 1
        folder, done = evaluated(
            subject, tmp_path / "cut", "pgd3x2", n=15, chunk=4, stop=stop
        )
        if done:
            break
        assert len(passed) - before <= 4, "one batch: three steps and the judgement"
        assert max(passed) <= 4
    assert rounds > 4 and passed == unbroken
    same(tables(folder), tables(whole))


def test_two_shards_merged_equal_one(subject, tmp_path):
    pytest.importorskip("pyautoattack")
    attacks = ("clean", "pgd3x2", "square50")
    whole, _ = evaluated(subject, tmp_path / "whole", *attacks, n=15)
    for shard in ((2, 2), (1, 2)):
        folder, done = evaluated(subject, tmp_path / "cut", *attacks, n=15, shard=shard)
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
    pytest.importorskip("pyautoattack")
    attacks = ("clean", "fgsm", "pgd3x2", "cw5", "apgd-ce", "square50")
    verdicts = []
    for chunk in (1, 3, 64):
        folder, done = evaluated(
            subject, tmp_path / str(chunk), *attacks, n=8, chunk=chunk
        )
        assert done
        verdicts.append(tables(folder))
    same(verdicts[0], verdicts[1])
    same(verdicts[0], verdicts[2])
    assert {len(set(table["fooled_by"])) for table in verdicts[0].values()} == {2, 3}


def test_compiled_engine_agrees_with_eager(digits_run, tmp_path, compiler):
    """Fused kernels round otherwise, which turns signs of gradients near zero: one
    verdict of 64 may differ. The threat is that of others' tests, compiled anyway."""
    case = Case("pgd", 20, 1, "linf", 8 / 255, 2 / 255, 64)
    left = []
    for engine in ("eager", "compiled"):
        folder = RunFolder(tmp_path / engine)
        folder.path.mkdir()
        assert evaluate_cases(
            load(digits_run), folder, [case], how(engine=engine, chunk=64)
        )
        left.append(tables(folder)["pgd20"]["fooled_by"])
    assert ((left[0] == "") != (left[1] == "")).sum() <= 1
    assert {"clean", "pgd20 1", ""} == set(left[0])


def test_gpu_that_is_too_small_is_one_sentence(subject, tmp_path):
    def fill(*_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    handle = subject.network.register_forward_hook(fill)
    sentence = r"too little memory for 32 images at a time: .*--batch-size 16\); the v"
    with pytest.raises(UserError, match=sentence):
        evaluated(subject, tmp_path, "clean", chunk=32)
    handle.remove()


def test_unknown_engine_is_refused_before_anything_is_made(subject, tmp_path):
    with pytest.raises(UserError, match="unknown engine 'fast'"):
        evaluated(subject, tmp_path, "clean", engine="fast")
    assert not list(tmp_path.iterdir())
