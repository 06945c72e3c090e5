"""Runs that a run learns from: found by what they are, trained before, never twice."""

import json
from dataclasses import fields

import pytest
import torch
from command_line import rofit
from training_helpers import CPU, train

from rofit.errors import UserError
from rofit.methods import METHODS
from rofit.methods.resolve import all_teachers, teachers
from rofit.progress import Report
from rofit.running import runner
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunFolder, RunStore
from rofit.training.stop import Stop

# One cheap diagnostic instead of all.
TRAIN = ("train", "--scale", "smoke", "--quiet", "--json", "--watch", "gradient_norm")
TAUGHT = [name for name in METHODS if hasattr(METHODS[name], "TEACHERS")]
TWINS = {"clean": ("standard", "last"), "robust": ("pgd_at", "best")}
ROBUST = {"robust": ("trades", "best")}
CLEAN = {"clean": ("standard", "last")}
TEACHERS = {"ard": ROBUST, "hat": CLEAN, "kd": TWINS, "kd_swa": TWINS, "rslad": ROBUST}


@pytest.mark.parametrize("name", TAUGHT)
@pytest.mark.parametrize("weight_rules", [{}, {"weights_from": ("awp",)}])
def test_teachers_differ_from_their_pupil_in_the_method_alone(name, weight_rules):
    changes = dict(dataset="digits", model="preact_small", width=8, seed=3, lr=0.05)
    changes |= dict(norm="l2", epsilon=0.5, epochs=7, label_noise=0.4)
    params = {field.name: 0.1 for field in fields(METHODS[name].Params)[:1]}
    pupil = RunSpec(method=name, method_params=params, **changes, **weight_rules)
    assert teachers(pupil) == {
        teacher: (RunSpec(method=method, **changes), checkpoint)
        for teacher, (method, checkpoint) in TEACHERS[name].items()
    }


def test_methods_without_teachers_have_none():
    assert TAUGHT == list(TEACHERS)
    assert not any(teachers(RunSpec(method=m)) for m in METHODS if m not in TAUGHT)


def test_teachers_of_many_runs_are_named_once():
    pupils = [RunSpec(method=m, seed=s) for m in TAUGHT for s in (0, 1)]
    pupils.append(RunSpec(method="kd", weights_from=("swa",)))
    expected = {(m, s) for m in ("standard", "pgd_at", "trades") for s in (0, 1)}
    actual = [(spec.method, spec.seed) for spec in all_teachers(pupils)]
    assert len(actual) == 6 and set(actual) == expected


def _run(spec, root):
    folder = RunStore(root / "runs").folder(spec.run_id)
    options = dict(data=root / "data", device=CPU, stop=Stop())
    return runner.train_run(spec, folder, report=lambda *_: Report(), **options)


@pytest.mark.parametrize("name", TAUGHT)
def test_run_whose_teacher_is_missing_says_which_and_makes_nothing(
    name, smoke_spec, tmp_path
):
    spec = smoke_spec(method=name)
    missing, _ = next(iter(teachers(spec).values()))
    with pytest.raises(UserError) as refused:
        _run(spec, tmp_path)
    assert str(refused.value) == (
        f"{name} learns from run {missing.run_id} ({missing.method}), which is missing "
        f"in {tmp_path / 'runs'}; train it first"
    )
    assert list(tmp_path.iterdir()) == []


def test_run_whose_teacher_is_unfinished_or_torn_says_so(smoke_spec, tmp_path):
    spec = smoke_spec(method="kd")
    (clean, _), (robust, _) = teachers(spec).values()
    train(clean, tmp_path)
    folder, done = train(robust, tmp_path, stop_after=1)
    assert not done
    with pytest.raises(
        UserError, match=rf"{robust.run_id} \(pgd_at\), which is started"
    ):
        _run(spec, tmp_path)
    train(robust, tmp_path)
    best = folder.checkpoints / "best.pt"
    best.write_bytes(best.read_bytes()[:100])
    with pytest.raises(UserError, match="the teacher's checkpoint .*best.pt cannot be"):
        _run(spec, tmp_path)


def test_pupil_learns_from_the_checkpoints_of_its_teachers(
    smoke_spec, tmp_path, monkeypatch
):
    """The last one of standard training, the best one of adversarial training."""
    built = []
    build = runner.build_training

    def keeping(*args, **options):
        made = build(*args, **options)
        built.append(made[0])
        return made

    monkeypatch.setattr(runner, "build_training", keeping)
    train(smoke_spec(method="kd"), tmp_path)
    taught = built[-1].method.labels.teachers
    runs = tmp_path / "runs"
    for (network, weight), kind, file, expected in zip(
        taught, ("standard", "pgd_at"), ("last", "best"), (0.1, 0.6), strict=True
    ):
        (path,) = runs.glob(f"{kind}-*/checkpoints/{file}.pt")
        state = torch.load(path, weights_only=True)["model"]
        assert weight == expected and not network.training
        for key, value in network.state_dict().items():
            assert torch.equal(value, state[key]), (kind, key)


def _events(home):
    return {p.parent.name: p.read_bytes() for p in home.glob("runs/*/events.jsonl")}


def test_command_trains_the_teachers_first_and_a_second_call_nothing(tmp_path):
    words = (*TRAIN, "--method", "kd_swa")
    dry = rofit(tmp_path, *words, "--dry-run")
    assert dry.code == 0 and list(tmp_path.iterdir()) == []
    assert rofit(tmp_path, *TRAIN, "--method", "standard").code == 0
    clean = _events(tmp_path)
    first = rofit(tmp_path, *words)
    assert (first.code, first.err) == (0, "")
    assert len(clean) == 1 and clean.items() <= _events(tmp_path).items()
    (row,) = json.loads(first.out)["runs"]
    assert row["run"].startswith("kd_swa-digits-") and row["state"] == "done"
    before = _events(tmp_path)
    kinds = sorted(name.partition("-")[0] for name in before)
    assert kinds == ["kd_swa", "pgd_at", "standard"]
    assert all(RunFolder(tmp_path / "runs" / run).state == "done" for run in before)
    assert rofit(tmp_path, *words) == first
    assert _events(tmp_path) == before
    assert rofit(tmp_path, *TRAIN, "--method", "kd").code == 0
    after = _events(tmp_path)
    assert len(after) == 4 and before.items() <= after.items()


def test_unfinished_teacher_leaves_75_and_the_same_command_goes_on(tmp_path):
    words = (*TRAIN, "--method", "kd")
    first = rofit(tmp_path, *words, "--max-minutes", 0)
    assert first.code == 75
    (row,) = json.loads(first.out)["runs"]
    assert row["state"] == "missing"
    assert [name.partition("-")[0] for name in _events(tmp_path)] == ["standard"]
    assert rofit(tmp_path, *words).code == 0
    assert len(_events(tmp_path)) == 3
