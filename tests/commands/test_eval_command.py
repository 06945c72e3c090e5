"""`rofit eval`: its tables and JSON, and nothing made that was not asked for."""

import json
import shutil

import pytest
import torch
from command_line import rofit
from evaluated_runs import SPEC, trained

from rofit.running import evaluate as evaluation
from rofit.store.evaluations import evaluations, read_verdicts
from rofit.store.runs import RunStore

LAST = ("eval", SPEC.run_id, "--checkpoint", "last", "--quiet")
TITLE = f"{SPEC.run_id}, last (epoch 2)"
MASKING = f"{TITLE}: gradient masking"
NONE_MADE = "random_predictions, probabilities, dynamic, zero_gradients, "


@pytest.fixture(scope="module")
def trained_home(tmp_path_factory):
    """A folder with two runs, trained once."""
    root = tmp_path_factory.mktemp("trained")
    trained(root)
    trained(root, seed=1)
    return root


@pytest.fixture
def home(trained_home, tmp_path):
    """A copy of it, to evaluate in."""
    return shutil.copytree(trained_home, tmp_path / "home")


def folder(home, seed=0):
    return RunStore(home / "runs").folder(SPEC.replace(seed=seed).run_id)


def answered(home, *words):
    """Return the sections of a command that succeeds, in JSON."""
    answer = rofit(home, *words, "--json")
    assert (answer.code, answer.err) == (0, "")
    return json.loads(answer.out)


def files(root):
    return {path: path.stat().st_mtime_ns for path in root.rglob("*")}


def test_table_has_a_row_an_attack_and_the_checks(home):
    answer = rofit(home, *LAST, "--attack", "clean,pgd3")
    assert (answer.code, answer.err) == (0, "")
    clean, attacked = sorted(evaluations(folder(home)), key=lambda r: r["epsilon"])
    for result, attack in ((clean, "none"), (attacked, "pgd3")):
        lines = [line.split("\t") for line in answer.out.splitlines()]
        line, *_ = [line for line in lines if line[0] == attack]
        assert {f"{round(100 * result['accuracy'], 2):.4g}", "64"} <= set(line)
    assert "linf 0.15" in answer.out and TITLE in answer.out and MASKING in answer.out
    assert f"none raised\tpassed: {NONE_MADE}" in answer.out


def test_json_has_accuracies_in_per_cent_with_their_spread(home):
    sections = answered(home, *LAST, "--attack", "clean", "--attack", "pgd3", "--n", 40)
    assert list(sections) == [TITLE, MASKING]
    about = {"attack": "pgd3", "threat": "linf 0.15", "n": 40}
    clean, attacked = sections[TITLE]
    assert clean.items() >= {"attack": "none", "threat": "", "n": 40}.items()
    assert attacked.items() >= about.items() and attacked["seconds"] > 0
    (result,) = [r for r in evaluations(folder(home)) if r["attack"] == "pgd3"]
    share = result["accuracy"]
    assert attacked["accuracy %"] == round(100 * share, 2)
    error = (share * (1 - share) / 40) ** 0.5
    assert attacked["± s.e."] == pytest.approx(100 * error, abs=0.005)
    assert "reference" not in clean, "a small run has none"
    (row,) = sections[MASKING]
    assert row["check"] == "none raised" and "robust_near_clean" in row["warning"]


def test_both_checkpoints_are_evaluated_unless_one_is_named(home):
    sections = answered(home, "eval", SPEC.run_id, "--attack", "clean", "--quiet")
    titles = [title for title in sections if "masking" not in title]
    assert [title.split(", ")[1].split(" ")[0] for title in titles] == ["best", "last"]
    assert {r["checkpoint"] for r in evaluations(folder(home))} == {"best", "last"}


def test_several_runs_are_evaluated_one_after_the_other(home):
    other = SPEC.replace(seed=1).run_id
    words = ("--attack", "clean", "--checkpoint", "last", "--quiet")
    sections = answered(home, "eval", other, SPEC.run_id, *words)
    assert [title.split(",")[0] for title in sections][::2] == [other, SPEC.run_id]


def test_dry_run_makes_nothing_and_shows_what_is_there(home):
    before = files(home)
    (row,) = answered(home, *LAST, "--attack", "pgd3", "--dry-run")[TITLE]
    assert (row["attack"], row["accuracy %"], row["± s.e."]) == ("pgd3", None, None)
    assert files(home) == before
    (made,) = answered(home, *LAST, "--attack", "pgd3")[TITLE]
    before = files(home)
    sections = answered(home, *LAST, "--attack", "pgd3", "--dry-run")
    assert sections == {TITLE: [made]} and files(home) == before


def test_worst_of_several_attacks_is_what_survives_all(home):
    pytest.importorskip("pyautoattack")
    options = ("--attack", "clean,pgd2,square100,pgd2@0.1", "--n", 40)
    rows = answered(home, *LAST, *options)[TITLE]
    (worst,) = [row for row in rows if row["attack"] == "worst of these"]
    assert worst["threat"] == "linf 0.15", "one attack alone has no worst"
    survived, alone = [], []
    for result in evaluations(folder(home)):
        if result["epsilon"] == SPEC.epsilon:
            table = read_verdicts(folder(home), result["name"])
            survived.append(set(table["index"][table["fooled_by"] == ""]))
            alone.append(result["accuracy"])
    left = len(set.intersection(*survived)) / 40
    assert worst["accuracy %"] == round(100 * left, 2)
    assert len(survived) == 2 and left < min(alone), "neither attack is the worst alone"


def test_cascade_is_shown_attack_by_attack(home):
    pytest.importorskip("pyautoattack")
    rows = answered(home, *LAST, "--attack", "autoattack@0.5", "--n", 8)[TITLE]
    after = [f"  after {name}" for name in ("apgd-ce", "apgd-t", "fab-t", "square")]
    assert [row["attack"] for row in rows] == ["autoattack", *after]
    assert {row["threat"] for row in rows} == {"linf 0.5"}
    left = [row["accuracy %"] for row in rows[1:]]
    assert left == sorted(left, reverse=True) and left[-1] == rows[0]["accuracy %"]


def test_radii_are_listed_and_a_name_may_have_its_own(home):
    options = ("--attack", "clean,pgd2,pgd2@1/255", "--epsilon", "1/510,0.1")
    rows = answered(home, *LAST, *options)[TITLE]
    assert [(row["attack"], row["threat"]) for row in rows[:4]] == [
        ("none", ""),
        ("pgd2", "linf 0.00196078"),
        ("pgd2", "linf 0.1"),
        ("pgd2", "linf 1/255"),
    ]
    left = [row["accuracy %"] for row in rows]
    assert left[2] < left[3] <= left[1] <= left[0]


def test_radii_are_read_as_the_help_writes_them(home):
    assert "Radii: 0.5/255,8/255" in rofit(home, "eval", "--help").out
    options = ("--attack", "pgd2", "--epsilon", "0.5/255,8/255")
    assert rofit(home, *LAST, *options).code == 0


def test_another_norm_is_evaluated_inside_its_own_radius(home):
    options = ("--attack", "pgd2", "--norm", "l2", "--epsilon", "0.5")
    (row,) = answered(home, *LAST, *options)[TITLE]
    assert row["threat"] == "l2 0.5"
    (result,) = evaluations(folder(home))
    assert (result["norm"], result["step_size"]) == ("l2", 0.125)


def test_transfer_attacks_the_named_run_instead(home):
    source = SPEC.replace(seed=1).run_id
    white = answered(home, *LAST, "--attack", "pgd20")[TITLE][0]["accuracy %"]
    for text in (source, folder(home, 1).checkpoints / "last.pt"):
        sections = answered(home, *LAST, "--attack", "transfer", "--from", text)
        assert sections[TITLE][0]["accuracy %"] > white
    made = [r for r in evaluations(folder(home)) if r["attack"] == "transfer"]
    assert len(made) == 1, "one network, whatever it is called"
    itself = answered(home, *LAST, "--attack", "transfer", "--from", SPEC.run_id)
    assert itself[TITLE][0]["accuracy %"] == white


def test_file_inside_the_store_is_the_runs_checkpoint(home):
    path = folder(home).checkpoints / "last.pt"
    assert list(answered(home, "eval", path, "--attack", "clean", "--quiet")) == [
        TITLE,
        MASKING,
    ]
    assert len(evaluations(folder(home))) == 1


def test_file_outside_of_the_store_is_kept_under_its_runs_id(home, tmp_path):
    path = tmp_path / "given.pt"
    shutil.copy(folder(home).checkpoints / "last.pt", path)
    words = ("eval", path, "--attack", "clean", "--store", tmp_path / "own", "--quiet")
    title, _ = answered(home, *words)
    kept = RunStore(tmp_path / "own").folder(SPEC.run_id)
    (result,) = evaluations(kept)
    assert result["checkpoint"] == f"given-{result['network'][:8]}"
    assert title == f"{SPEC.run_id}, {result['checkpoint']} (epoch 2)"
    assert kept.spec == SPEC and evaluations(folder(home)) == []


def test_run_that_is_known_by_a_file_alone_can_be_shown(home, tmp_path):
    path = folder(home).checkpoints / "last.pt"
    shutil.copy(path, tmp_path / "given.pt")
    own = ("--store", tmp_path / "own")
    words = ("eval", tmp_path / "given.pt", "--attack", "clean", *own, "--quiet")
    assert rofit(home, *words).code == 0
    assert rofit(home, "show", SPEC.run_id, *own).code == 0


def test_dry_run_of_a_file_outside_of_the_store_makes_nothing(home, tmp_path):
    own = tmp_path / "own"
    path = folder(home).checkpoints / "last.pt"
    shutil.copy(path, tmp_path / "given.pt")
    words = ("eval", tmp_path / "given.pt", "--attack", "clean", "--store", own)
    assert rofit(home, *words, "--dry-run").code == 0
    assert not own.exists()


def test_shards_are_a_share_each_and_a_result_together(home):
    words = (*LAST, "--attack", "pgd3")
    (row,) = answered(home, *words, "--shard", "1/2")[TITLE]
    assert row["accuracy %"] is None and evaluations(folder(home)) == []
    (row,) = answered(home, *words, "--shard", "2/2")[TITLE]
    assert row["accuracy %"] is not None
    assert answered(home, *words)[TITLE] == [row]


def test_tf32_is_another_evaluation_with_a_name_of_its_own(home, monkeypatch):
    """As on a GPU: the CPU, which has no TF32, is refused (test_eval_says_no)."""
    monkeypatch.setattr(evaluation, "without_tf32", lambda device: False)
    before = [b.allow_tf32 for b in (torch.backends.cudnn, torch.backends.cuda.matmul)]
    words = (*LAST, "--attack", "clean,pgd3")
    usual = answered(home, *words)
    other = answered(home, *words, "--precision", "tf32")
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
    names = [row["attack"] for row in other[TITLE]]
    assert names == ["none-tf32", "pgd3-tf32"] and len(evaluations(folder(home))) == 4
    assert other[MASKING] == usual[MASKING] and "robust_near" in str(usual[MASKING])
    assert answered(home, *words) == usual


def test_warnings_are_told_in_words(home):
    options = ("--attack", "clean,pgd1@0.0001")
    (row,) = answered(home, *LAST, *options)[MASKING]
    warning = (
        "pgd1 costs 0.0 points of the clean accuracy: is the radius in input units"
    )
    assert row["check"] == "robust_near_clean" and warning in row["warning"]
    assert warning in rofit(home, *LAST, *options).out


def test_net_at_chance_is_warned_of(home):
    path = folder(home).checkpoints / "last.pt"
    state = torch.load(path, weights_only=True)
    for name in ("classifier.weight", "classifier.bias"):
        state["model"][name] = state["model"][name].roll(1, dims=0)
    torch.save(state, path)
    rows = answered(home, *LAST, "--attack", "clean")[MASKING]
    assert [row["check"] for row in rows] == ["clean_at_chance"]
    assert "as by chance: are images, classes and normal" in rows[0]["warning"]
