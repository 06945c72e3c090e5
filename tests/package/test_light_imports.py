"""Commands import what they need and no more: torch takes seconds."""

import json
import os
import subprocess
import sys

import pytest
import torch
from made_up_logs import course, write_run

from rofit.cli import COMMANDS, cli
from rofit.commands.devices import has_cuda
from rofit.settings.spec import RunSpec

HEAVY = ("torch", "pandas", "pyarrow", "scipy", "matplotlib", "rich")
# Calls the command line once a list of words, in one process; says what it imported.
CALLS = """
import contextlib, io, json, sys
from rofit.cli import main

for words in json.loads(sys.argv[1]):
    sys.argv = ["rofit", *words]
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            main()
        except SystemExit as ended:
            assert not ended.code, (words, ended.code)
    print(json.dumps([name for name in json.loads(HEAVY) if name in sys.modules]))
"""


def _imported(folder, *commands):
    """Return which heavy packages are there after each of the commands."""
    code = CALLS.replace("HEAVY", repr(json.dumps(HEAVY)))
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(commands)],
        cwd=folder,
        env=os.environ | {"ROFIT_HOME": str(folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_help_imports_none_of_the_heavy_packages(tmp_path):
    words = [["--help"], [], ["--version"]]
    assert _imported(tmp_path, *words) == [[]] * len(words)


@pytest.mark.parametrize("name", COMMANDS)
def test_command_is_found_by_its_name_in_the_table(name):
    command = cli.get_command(None, name)
    assert command.name == name and command.help


def test_commands_that_look_at_the_store_import_no_torch(tmp_path):
    specs = [RunSpec(epochs=2, seed=seed, method="adr_awp") for seed in (0, 1)]
    about = {"attack": "pgd20", "measured": "epoch_end", "n": 64, "metric": "accuracy"}
    for spec in specs:
        rows = course([0.5, 0.25], **about, split="test")
        rows += course([0.5, 0.25], **about | {"attack": "none"}, split="test")
        rows += course([0.5, 0.75], **about, split="train")
        write_run(tmp_path / "runs", spec, rows)
    one, other = (spec.run_id for spec in specs)
    commands = [
        ["status", "--scale", "smoke", "--store", "nothing"],
        ["status", "--scale", "paper"],
        ["show", one],
        ["data"],
        ["export", one, "--out", "copies"],
        ["compare", one, other],
    ]
    for words, imported in zip(commands, _imported(tmp_path, *commands), strict=True):
        assert "torch" not in imported, words
        assert words[0] == "compare" or "matplotlib" not in imported, words
        assert words[0] != "status" or "scipy" not in imported, words


def test_torch_is_asked_for_a_gpu_only_where_a_driver_made_a_device(tmp_path):
    """By a torch that says there is one: another's word than that of the devices."""
    (tmp_path / "torch.py").write_text("class cuda: is_available = lambda: True")
    code = """
import os, sys
from rofit.cli import COMMANDS, cli
from rofit.commands.devices import has_cuda
for sys.platform, device in CASES:
    os.listdir = lambda path: ["null", "nvme0", "dri", device]
    print(has_cuda(), "torch" in sys.modules)
    sys.modules.pop("torch", None)
"""
    linux = ("zero", "nvidiactl", "dxg", "nvmap", "kfd")
    cases = [*(("linux", device) for device in linux), ("win32", "none")]
    done = subprocess.run(
        [sys.executable, "-c", code.replace("CASES", repr(cases))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["False False", *["True True"] * 5]


def test_a_gpu_is_asked_for_where_torch_is_imported_already(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert has_cuda()
