"""The shell completes ids of runs, from the store that is typed or the default one."""

import json
import os
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete
from stored_runs import PGD, SGLS, stored

from rofit.cli import COMMANDS, cli

HEAVY = ("torch", "matplotlib", "scipy")
TAKE_RUNS = ("show", "eval", "compare", "export", "rm", "rename", "report")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with a run in its store, and two in another store."""
    for folder, spec in (("runs", PGD), ("other", SGLS), ("other", PGD)):
        stored(tmp_path / folder, spec, [])
    (tmp_path / "runs" / "no-run").mkdir()
    monkeypatch.setenv("ROFIT_HOME", str(tmp_path))
    return tmp_path


def _completed(*words):
    """Return what the shell is offered for the last of the words."""
    *before, incomplete = words
    completer = ShellComplete(cli, {}, "rofit", "_ROFIT_COMPLETE")
    return [
        item.value if item.type == "plain" else item.type
        for item in completer.get_completions(before, incomplete)
    ]


@pytest.mark.parametrize("command", TAKE_RUNS)
def test_runs_of_the_default_store_are_offered(home, command):
    assert _completed(command, "") == [PGD.run_id]
    assert _completed(command, "pgd") == [PGD.run_id]


def test_every_command_that_takes_a_run_is_among_these():
    takes = [
        name
        for name in COMMANDS
        for parameter in cli.get_command(None, name).params
        if parameter.param_type_name == "argument"
        and "RUN" in (parameter.metavar or "")
    ]
    assert sorted(takes) == sorted(TAKE_RUNS)


def test_runs_of_the_store_that_is_typed_are_offered_and_none_twice(home):
    words = ["compare", "--store", str(home / "other")]
    both = sorted((PGD.run_id, SGLS.run_id))
    assert _completed(*words, "") == both
    assert _completed(*words, "sgls") == [SGLS.run_id]
    assert _completed(*words, SGLS.run_id, "") == [PGD.run_id]


def test_nothing_is_offered_where_no_run_begins_so(home):
    assert _completed("show", "sgls") == []
    assert _completed("show", "--store", str(home / "nowhere"), "") == []
    assert _completed("eval", "model_be") == ["file"]


def test_run_that_transfer_attacks_is_offered(home):
    assert _completed("eval", PGD.run_id, "--from", "") == [PGD.run_id]


def test_the_shell_s_own_call_answers_without_torch(home):
    """As the script of bash calls it."""
    code = f"""
import json, sys
from rofit.__main__ import main
sys.argv = ["rofit"]
try:
    main()
except SystemExit:
    pass
print(json.dumps([name for name in {HEAVY} if name in sys.modules]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ
        | {"_ROFIT_COMPLETE": "bash_complete"}
        | {"COMP_WORDS": "rofit eval pg", "COMP_CWORD": "2"},
        capture_output=True,
        text=True,
    )
    offered, imported = done.stdout.splitlines()
    assert offered == f"plain,{PGD.run_id}", done.stderr
    assert json.loads(imported) == []
