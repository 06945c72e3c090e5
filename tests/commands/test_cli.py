"""The commands, each as a newcomer would first call it."""

import json
import re
from pathlib import Path

import pytest
import torch
from command_line import rofit

import rofit as package
from rofit.cli import cli
from rofit.errors import UserError
from rofit.reproduction import catalog
from rofit.settings.scales import SCALES
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunFolder

SMOKE = ("--scale", "smoke")
TRAIN = ("train", *SMOKE, "--method", "sgls", "--recipe", "sgls")


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder with one run of two epochs, whose first weights are kept."""
    home = tmp_path_factory.mktemp("home")
    answer = rofit(home, *TRAIN, "--keep", 1)
    assert answer.code == 0, answer.err
    return home


@pytest.fixture
def folder(home) -> RunFolder:
    (path,) = (home / "runs").iterdir()
    return RunFolder(path)


def _rows(answer, kind: str = "runs") -> list[dict]:
    assert answer.code == 0, answer.err
    return json.loads(answer.out)[kind]


@pytest.mark.parametrize("command", [None, *cli.commands])
def test_help_says_what_the_command_does_and_every_option(tmp_path, command):
    answer = rofit(tmp_path, *([command] if command else []), "--help")
    assert (answer.code, answer.err) == (0, "")
    known = cli.commands[command] if command else cli
    assert str(known.help).splitlines()[0] in answer.out
    for option in known.params:
        if option.param_type_name == "option":
            assert option.opts[0] in answer.out and option.help, option.name


def test_no_command_at_all_is_answered_with_the_help(tmp_path):
    answer = rofit(tmp_path)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == rofit(tmp_path, "--help").out


def test_help_lists_every_command_and_every_scale(tmp_path):
    top = rofit(tmp_path, "-h").out
    assert all(command in top for command in cli.commands)
    run_help = rofit(tmp_path, "run", "-h").out
    assert all(scale in run_help for scale in SCALES)


def test_version_is_the_packages(tmp_path):
    assert package.__version__ in rofit(tmp_path, "--version").out


def test_train_writes_the_run_and_keeps_the_weights_asked_for(folder):
    assert folder.state == "done"
    files = {path.name for path in folder.checkpoints.iterdir()}
    assert {"epoch-0001.pt", "best.pt", "last.pt"} <= files
    assert "epoch-0002.pt" not in files
    kept = torch.load(folder.checkpoints / "epoch-0001.pt", weights_only=True)
    assert kept["epoch"] == 1


def test_train_applies_recipe_scale_and_flags(folder):
    spec = folder.spec
    assert (spec.method, spec.normalise, spec.drops) == ("sgls", False, (0.495, 0.745))
    assert (spec.dataset, spec.epochs) == ("digits", SCALES["smoke"].changes["epochs"])


def test_train_names_the_same_run_from_its_spec_file(home, folder):
    file = folder.path / "spec.json"
    (row,) = _rows(rofit(home, "train", "--spec", file, "--dry-run", "--json"))
    assert (row["run"], row["state"]) == (folder.path.name, "done")


def test_train_takes_a_spec_file_as_it_is_unless_a_scale_is_named(tmp_path):
    file = tmp_path / "spec.json"
    spec = RunSpec(
        method="sgls", epochs=5, drops=(0.5,), method_params=(("start", 0.2),)
    )
    file.write_text(json.dumps(spec.as_dict()))
    words = ("train", "--spec", file, "--dry-run", "--json")
    assert [row["run"] for row in _rows(rofit(tmp_path, *words))] == [spec.run_id]
    (row,) = _rows(rofit(tmp_path, *words, *SMOKE))
    assert row["run"] == SCALES["smoke"].apply(spec).run_id


def test_train_makes_one_run_a_seed_and_a_dry_run_none(tmp_path):
    words = ("train", *SMOKE, "--seeds", 3, "--dry-run", "--json")
    rows = _rows(rofit(tmp_path, *words))
    assert [(row["seed"], row["state"]) for row in rows] == [
        (seed, "missing") for seed in range(3)
    ]
    assert list(tmp_path.iterdir()) == []


def test_train_again_does_nothing_and_quietly(home, folder):
    before = (folder.path / "events.jsonl").read_bytes()
    answer = rofit(home, *TRAIN)
    assert (answer.code, answer.err) == (0, "") and "done" in answer.out
    assert (folder.path / "events.jsonl").read_bytes() == before


def test_time_limit_leaves_75_and_the_same_command_goes_on(tmp_path):
    words = (*TRAIN, "--set", "epochs=2", "--quiet", "--json")
    first = rofit(tmp_path, *words, "--max-minutes", 0)
    assert first.code == 75
    assert first.err == "unfinished: the same command goes on from here\n"
    (row,) = json.loads(first.out)["runs"]
    assert (row["state"], row["epochs"]) == ("partial", "1/2")
    assert "*" in rofit(tmp_path, "show", "sgls").out
    (row,) = _rows(rofit(tmp_path, *words))
    assert (row["state"], row["epochs"]) == ("done", "2/2")


def test_show_prints_spec_curve_and_best_last_gap(home, folder):
    answer = rofit(home, "show", folder.path.name[-8:])
    assert (answer.code, answer.err) == (0, "")
    assert folder.path.name in answer.out
    assert re.search(r"batch_size\W+64\W+128", answer.out)  # the value, the default
    assert "robust accuracy: * test, . train" in answer.out
    assert re.search(r"^ +\d+ % \|.*[*.]", answer.out, re.MULTILINE)
    assert re.search(r"best .* \(chosen on validation\), last .* gap", answer.out)


def test_show_as_json_holds_run_and_spec(home, folder):
    sections = json.loads(rofit(home, "show", "sgls", "--json").out)
    assert sections["run"]["run"] == folder.path.name
    assert {row["field"]: row["value"] for row in sections["spec"]}["epochs"] == 2


def test_show_of_a_run_that_has_only_begun_says_so(tmp_path):
    run = RunFolder(tmp_path / "runs" / "pgd_at-x-1")
    with run.opened(RunSpec().as_dict()):
        pass
    answer = rofit(tmp_path, "show", "x-1")
    assert (answer.code, answer.err) == (0, "")
    assert "no epoch is finished yet" in answer.out


def test_status_counts_the_runs_of_every_analysis(home, folder):
    sections = json.loads(rofit(home, "status", *SMOKE, "--json").out)
    trained = [n for n in catalog.analysis_names() if not catalog.is_timed(n)]
    assert [row["analysis"] for row in sections["analyses"]] == trained
    (fig1,) = (
        row for row in sections["analyses"] if row["analysis"] == "fig1_gradnorm"
    )
    assert (fig1["done"], fig1["partial"], fig1["missing"]) == (1, 0, 1)
    (runs,) = (rows for kind, rows in sections.items() if kind != "analyses")
    assert [(row["run"], row["state"]) for row in runs] == [(folder.path.name, "done")]


def test_status_loses_no_run(home, tmp_path, folder):
    begun = RunFolder(tmp_path / "runs" / folder.path.name)
    with begun.opened(folder.spec.as_dict()):
        pass
    rows = _rows(rofit(tmp_path, "status", *SMOKE, "--json"), "analyses")
    fig1 = next(row for row in rows if row["analysis"] == "fig1_gradnorm")
    assert sum(n for n in fig1.values() if isinstance(n, int)) == 2


def test_status_and_show_survive_a_row_that_a_full_disk_cut_off(home, tmp_path, folder):
    lines = (folder.path / "epochs.jsonl").read_text().splitlines(keepends=True)
    rows = [json.loads(line) for line in lines]
    torn = RunFolder(tmp_path / "runs" / folder.path.name)
    with torn.opened(json.loads((folder.path / "spec.json").read_text())):
        kept = [row for row in rows if (row["epoch"], row["split"]) != (2, "test")]
        torn.append(
            [r | {"value": r["epoch"]} if r["split"] == "val" else r for r in kept]
        )
    assert rofit(tmp_path, "status", *SMOKE).code == 0
    assert rofit(tmp_path, "show", folder.path.name).code == 0


def test_data_says_where_it_looks_and_what_is_there(tmp_path):
    (rows,) = json.loads(rofit(tmp_path, "data", "--json").out).values()
    there = {row["name"]: row["present"] for row in rows}
    assert there.pop("digits") is True and not any(there.values())
    cifar10 = next(row for row in rows if row["name"] == "cifar10")
    assert str(tmp_path / "data") in cifar10["where"]


@pytest.mark.parametrize(("here", "scale"), [(True, "gpu"), (False, "demo")])
def test_run_takes_the_scale_that_fits_the_machine_and_says_so_first(
    tmp_path, monkeypatch, here, scale
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: here)
    first = rofit(tmp_path, "run", "fig1_gradnorm", "--dry-run").out.splitlines()[0]
    assert first.startswith(f"scale {scale}: {SCALES[scale].about[:20]}")
    assert f"there is {'a' if here else 'no'} CUDA device; --scale changes it" in first


def test_train_says_the_scale_it_took(tmp_path):
    answer = rofit(tmp_path, "train", "--dataset", "cifar10", "--dry-run")
    assert "scale" in answer.out.splitlines()[0]


def test_defect_is_one_line_and_code_1_and_a_traceback_with_debug(
    tmp_path, monkeypatch
):
    def fail() -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(catalog, "analysis_names", fail)
    answer = rofit(tmp_path, "list")
    assert (answer.code, answer.err) == (1, "rofit: RuntimeError: boom\n")
    with pytest.raises(RuntimeError, match="boom"):
        rofit(tmp_path, "list", "--debug")


def test_debug_shows_where_a_user_error_came_from(tmp_path):
    with pytest.raises(UserError, match="unknown analysis 'nope'"):
        rofit(tmp_path, "run", "nope", "--debug")
