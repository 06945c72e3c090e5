"""The command bench: what it prints, and what it answers in one sentence."""

import json
import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from command_line import is_one_sentence, rofit
from torch._inductor import config, exc
from training_helpers import CPU

from rofit.bench import costs, speed, tables
from rofit.bench.layers import layer_rows
from rofit.bench.problem import bench_spec
from rofit.bench.tables import TABLES, bench
from rofit.bench.timing import Times
from rofit.diagnostics import DIAGNOSTICS
from rofit.errors import UserError
from rofit.methods import METHODS
from rofit.settings.spec import RunSpec

SMALL = ("--model", "preact_tiny", "--batch-size", "4", "--rounds", "2")
# Before torch 2.7 there is no InductorError.
ERROR = "InductorError" if hasattr(exc, "InductorError") else "BackendCompilerFailed"
NO_COMPILER = f"a trial compilation failed ({ERROR})"


@pytest.fixture(autouse=True)
def _rated(monkeypatch):
    """Large products take seconds, and their rate is nothing that a test could know."""
    for module in (tables, speed):
        monkeypatch.setattr(module, "matmul_rate", lambda dtype, device: 2e11)


@pytest.fixture
def no_compiler():
    """As with CXX=/nonexistent, which torch reads when it is imported."""
    with config.patch({"cpp.cxx": (None, "/nonexistent")}):
        yield


def test_unknown_table_is_answered_with_those_there_are(tmp_path):
    answer = rofit(tmp_path, "bench", "speeed")
    is_one_sentence(answer, "unknown table 'speeed'; did you mean speed? (known: ")
    assert f"known: {', '.join(sorted(TABLES))})" in answer.err


def test_unknown_model_is_answered_with_those_there_are(tmp_path):
    answer = rofit(tmp_path, "bench", "--model", "nonsense")
    is_one_sentence(answer, "unknown model 'nonsense'; known: preact_resnet18, preact")


@pytest.mark.parametrize(
    "words",
    ["--rounds 1", "--batch-size 1", "--rounds x", "--device gpu", "--engine c"],
)
def test_flag_out_of_range_is_one_sentence(tmp_path, words):
    is_one_sentence(rofit(tmp_path, "bench", *words.split()), words.split()[1])


def test_parity_as_json_is_the_machine_and_the_figures(tmp_path):
    words = "bench parity --model preact_tiny --batch-size 16 --engine eager --rounds 2"
    answer = rofit(tmp_path, *words.split(), "--json")
    assert (answer.code, answer.err) == (0, "")
    sections = json.loads(answer.out)
    assert list(sections) == ["machine", "parity"]
    (machine,) = sections["machine"]
    assert machine["threads"] == 1 and machine["device"] == "cpu"
    assert machine["float32 matmul GFLOP/s"] == 200
    assert machine["peak memory GiB"] > 0
    assert "engine" not in machine
    assert [row["holds"] for row in sections["parity"]] == 6 * [True]


def test_compiled_engine_without_a_compiler_is_one_sentence(tmp_path, no_compiler):
    answer = rofit(tmp_path, "bench", "parity", *SMALL, "--engine", "compiled")
    sentence = f"the engine cannot compile: {NO_COMPILER}; use --engine eager"
    is_one_sentence(answer, sentence)


def test_auto_engine_without_a_compiler_is_eager_and_says_why(tmp_path, no_compiler):
    answer = rofit(tmp_path, "bench", "parity", *SMALL, "--json")
    assert answer.code == 0
    sections = json.loads(answer.out)
    assert sections["machine"][0]["engine"] == f"not compiled: {NO_COMPILER}"
    assert "fp32 PGD-10, eager against eager" in sections["parity"][2]["figure"]


def test_bench_without_json_is_tables(tmp_path):
    answer = rofit(tmp_path, "bench", "layers", *SMALL, "--engine", "eager")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0] == "# machine" and "# layers" in lines
    assert "input gradient GFLOP/s" in answer.out


@pytest.fixture
def untimed(monkeypatch):
    """Every way is called once more, and takes a second, the first one two.

    Of few images and attack steps, where a table does not say how many.
    """

    def once(ways, *, rounds, device):
        for call in ways.values():
            call()
        return {name: Times([2.0 - (i > 0)] * 2) for i, name in enumerate(ways)}

    monkeypatch.setattr(costs, "interleaved", once)
    small = partial(bench_spec, train_size=64, test_size=25, attack_steps=1)
    monkeypatch.setattr(costs, "bench_spec", small)


class Untrained:
    """What would be timed, without a network."""

    def __init__(self, spec, *_):
        self.run = SimpleNamespace(spec=spec)

    def step(self):
        """Do nothing."""


@pytest.fixture
def table(untimed):
    """A function from a table's name to its rows for a tiny net."""

    def rows(name):
        how = {"batch_size": 4, "engine": "eager", "rounds": 2, "device": CPU}
        return bench((name,), ("preact_tiny",), **how)[name]

    return rows


@pytest.fixture(autouse=True)
def as_it_was(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    return str(tmp_path)


def test_every_method_has_its_cost_relative_to_pgd_at(table):
    rows = {row["method"]: row for row in table("methods")}
    assert list(rows) == list(METHODS)
    assert rows["pgd_at"]["x the time of pgd_at"] == 1
    first, *others = rows.values()
    assert first["images/s"] == 2
    assert {row["images/s"] for row in others} == {4}


def test_evaluation_is_the_test_images_over_the_time(table):
    (row,) = table("evaluation")
    assert (row["engine"], row["PGD-20 images/s"]) == ("eager", 12.5)


def test_growth_varies_one_field_at_a_time(table, monkeypatch):
    monkeypatch.setattr(costs, "Ours", Untrained)
    rows = table("growth")
    assert [row["value"] for row in rows if row["varied"] == "width"] == [8, 16, 32, 64]
    assert {row["varied"] for row in rows} == {"attack_steps", "width", "batch_size"}
    for row in rows:
        size = row["value"] if row["varied"] == "batch_size" else 4
        assert row["images/s"] == size / 2


def test_every_diagnostic_of_a_step_has_its_cost(table):
    rows = table("diagnostics")
    assert {row["diagnostic"] for row in rows} <= set(DIAGNOSTICS)
    assert "gradient_norm" in {row["diagnostic"] for row in rows}
    assert {row["% of the step"] for row in rows} == {50}


def test_bench_leaves_the_environment_as_it_was(as_it_was):
    bench((), ("preact_tiny",), batch_size=4, engine="eager", rounds=2, device=CPU)
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == as_it_was


def test_only_speed_compiles_from_an_empty_cache(as_it_was, monkeypatch):
    caches = []

    def noted(*sizes, **how):
        caches.append(os.environ["TORCHINDUCTOR_CACHE_DIR"])
        return {}

    monkeypatch.setattr(tables, "profile_rows", noted)
    monkeypatch.setattr(tables, "speed_rows", noted)
    how = {"batch_size": 4, "engine": "eager", "rounds": 2, "device": CPU}
    for names in (("profile",), ("speed",)):
        bench(names, ("preact_tiny",), **how)
    assert caches[0] == as_it_was != caches[1]


def test_bench_and_step_times_take_no_tf32(monkeypatch):
    how = {"engine": "eager", "device": CPU}
    nothing = {"batch_size": 4, "rounds": 2} | how
    for call in (
        lambda: bench((), ("preact_tiny",), **nothing),
        lambda: costs.step_times([RunSpec(method="nonsense")], Path(), **how),
    ):
        monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
        with suppress(UserError):
            call()
        assert not torch.backends.cudnn.allow_tf32


def test_machine_has_the_peak_of_the_gpu_as_well(monkeypatch):
    peak = 3 * 2**30
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: peak)
    peaks = tables._peaks(torch.device("cuda"))
    assert peaks["peak GPU memory GiB"] == 3 and peaks["peak memory GiB"] > 0
    assert list(tables._peaks(CPU)) == ["peak memory GiB"]


def test_no_model_is_timed_before_all_are_known(tmp_path, monkeypatch):
    timed = []

    def noted(model, *sizes, **how):
        timed.append(model)
        return layer_rows(model, *sizes, **how)

    monkeypatch.setattr(tables, "layer_rows", noted)
    words = ("bench", "layers", *SMALL, "--engine", "eager", "--model", "nonsense")
    is_one_sentence(rofit(tmp_path, *words), "unknown model 'nonsense'")
    assert "preact_tiny" not in timed
