"""Which engine a run gets, and the sentence where it is not the one asked for."""

import os
import subprocess
import sys

import pytest
from training_helpers import CPU, train

from rofit.attacks.compiled import CompiledPGD
from rofit.attacks.pgd import PGD
from rofit.errors import UserError
from rofit.progress import Report
from rofit.settings.scales import SCALES
from rofit.settings.spec import RunSpec
from rofit.store.runs import read_events
from rofit.training import engine
from rofit.training.engine import ENGINES, find_engine, make_attack, passes

SMOKE, LONG = (SCALES[name].apply(RunSpec()) for name in ("smoke", "cpu"))
COUPLED = "attack_bn = train couples the examples of a batch"


def _raising(error):
    def function(*args, **kwargs):
        raise error

    return function


@pytest.fixture
def any_compiler(monkeypatch):
    """As if there were a compiler."""
    monkeypatch.setattr(engine, "why_not", lambda device: "")


@pytest.fixture
def no_compiler(monkeypatch):
    monkeypatch.setattr(engine, "why_not", lambda device: "no compiler was found")


def test_long_runs_are_compiled_and_short_ones_are_not(any_compiler):
    assert find_engine("auto", SMOKE, CPU) == ("eager", "")
    assert find_engine("auto", LONG, CPU) == ("compiled", "")


def test_named_engine_is_taken_whatever_the_length(any_compiler):
    for spec in (SMOKE, LONG):
        assert find_engine("compiled", spec, CPU) == ("compiled", "")
        assert find_engine("eager", spec, CPU) == ("eager", "")


def test_eager_and_short_runs_do_not_look_for_a_compiler(monkeypatch):
    """Looking costs seconds."""
    monkeypatch.setattr(engine, "why_not", _raising(AssertionError("looked")))
    assert find_engine("eager", LONG, CPU) == ("eager", "")
    assert find_engine("auto", SMOKE, CPU) == ("eager", "")


def test_passes_are_counted_over_training_and_every_epochs_evaluation():
    """2 (128 * 2 + (64 + 64) * 2); and all of CIFAR-10, of which val is held out."""
    assert passes(SMOKE) == 1024
    assert passes(RunSpec()) == 200 * (49_000 * 10 + (1000 + 10_000) * 20)
    rarely = RunSpec(eval_every=100, val_size=2000)  # after 100, 200, and by the drops
    assert passes(rarely) == 200 * 49_000 * 10 + 7 * (2000 + 10_000) * 20


def test_without_a_compiler_auto_is_eager_and_says_why(no_compiler):
    expected = ("eager", "not compiled: no compiler was found")
    assert find_engine("auto", LONG, CPU) == expected
    message = "cannot compile: no compiler was found; use --engine eager"
    with pytest.raises(UserError, match=message):
        find_engine("compiled", SMOKE, CPU)


@pytest.mark.parametrize("there", [False, True])
def test_compiler_that_is_missing_or_cannot_compile_is_none(tmp_path, there):
    """One without Python's headers, as on many machines: auto must not choose it.

    In a process of its own: torch remembers what a compiler could do.
    """
    broken = tmp_path / "g++"
    if there:
        broken.write_text('#!/bin/sh\n[ "$1" = --version ]\n')
        broken.chmod(0o755)
    lines = "import torch; from rofit.attacks.compiled import why_not\n"
    lines += 'print(why_not(torch.device("cpu")))'
    env = {"CXX": str(broken), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    completed = subprocess.run(
        [sys.executable, "-c", lines],
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert completed.stdout.startswith("a trial compilation failed (")


def test_unknown_engine_lists_the_names():
    message = (
        r"unknown engine 'compile'; did you mean compiled\? \(known: "
        + ", ".join(sorted(ENGINES))
    )
    with pytest.raises(UserError, match=message):
        find_engine("compile", SMOKE, CPU)


def test_attacks_on_batch_statistics_cannot_be_compiled(any_compiler):
    spec = LONG.replace(attack_bn="train")
    assert find_engine("auto", spec, CPU) == ("eager", f"not compiled: {COUPLED}")
    with pytest.raises(UserError, match=f"cannot compile: {COUPLED}; use --engine"):
        find_engine("compiled", spec.replace(epochs=1), CPU)


def test_attack_is_made_as_the_engine_says():
    spec = SMOKE.replace(norm="l2", epsilon=0.5, step_size=0.1, batch_size=16)
    eager = make_attack(spec, 3, "eager", bn="train")
    assert type(eager) is PGD
    assert eager == PGD(spec.threat, 3, 0.1, "train")
    made = make_attack(spec, 3, "compiled")
    assert made == CompiledPGD(spec.threat, 3, 0.1, "eval", batch=16)
    assert not made.captured
    assert make_attack(spec, 3, "compiled", captured=True).captured


def test_run_that_asks_for_what_cannot_be_compiled_is_not_begun(smoke_spec, tmp_path):
    with pytest.raises(UserError, match=COUPLED):
        train(smoke_spec(attack_bn="train"), tmp_path, engine="compiled")
    assert not list(tmp_path.glob("runs/*/*"))


def test_run_that_auto_cannot_compile_is_eager_and_says_so(
    smoke_spec, tmp_path, monkeypatch, any_compiler
):
    notes = []
    monkeypatch.setattr(Report, "note", lambda self, text: notes.append(text))
    monkeypatch.setattr(engine, "WORTH_COMPILING", 0)
    spec = smoke_spec(attack_bn="train", epochs=1)
    folder, done = train(spec, tmp_path)
    assert done
    (begun, _) = read_events(folder.path)
    assert begun["environment"]["engine"] == "eager"
    assert notes == [f"not compiled: {COUPLED}"]
