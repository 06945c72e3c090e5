"""README is kept true: its commands run, its notebook lines too, its table is ours."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
import torch
from command_line import rofit
from torch import nn

from rofit import load_logs

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SMALL_BENCH = "rofit bench --model preact_tiny --batch-size 4 --rounds 2 --engine eager"
GALLERY = ROOT / "figures" / "gallery"


def commands():
    """Return README's rofit commands, at smoke scale and without data from outside."""
    found = []
    for block in re.findall(r"^```\n(.*?)^```", README, flags=re.M | re.S):
        for line in block.splitlines():
            text = line.split("#")[0].strip()
            if text.startswith("rofit ") and "--fetch" not in text:
                text = re.sub(r"--scale \w+", "--scale smoke", text)
                text = re.sub(r"^rofit bench$", SMALL_BENCH, text)
                text = text.replace("cw,autoattack", SHORT)  # as long as a test
                found.append(re.sub(r"--data \S+", "", text))
    return found


SHORT = "cw,apgd-ce" if find_spec("pyautoattack") else "cw"
DRAWN = ("pgd_at", "sgls", "focal_at")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, flags=re.M | re.S)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A folder in which every command of the README has run."""
    home = tmp_path_factory.mktemp("readme")
    for text in commands():
        runs = iter(sorted(path.name for path in (home / "runs").glob("*")))
        words = [next(runs) if word == "RUN" else word for word in shlex.split(text)]
        words = [home / "exported" if word == "FOLDER" else word for word in words]
        answer = rofit(home, *words[1:])
        assert answer.code == 0, f"{text}: {answer.err}"
    return home


def test_every_command_of_the_readme_runs(store):
    assert len(commands()) >= 6
    assert list((store / "results").rglob("*.png"))
    pytest.importorskip("pyautoattack")  # all but its attack ran without it


def test_the_notebook_lines_of_the_readme_run(store, monkeypatch):
    monkeypatch.chdir(store)
    names = {}
    exec(BLOCKS[0], names)
    assert isinstance(names["logs"], pd.DataFrame)
    assert len(names["test"])


def test_the_watch_lines_of_the_readme_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x, y = torch.rand(6, 3, 8, 8), torch.tensor([0, 1, 2, 0, 1, 2])
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    names = {"model": model, "x": x, "y": y, "x_test": x, "y_test": y}
    exec(BLOCKS[1], names)
    loss = nn.functional.cross_entropy(logits := model(x), y)
    loss.backward()
    names["watched"].step(logits, y, loss)
    names["watched"].epoch(lr=0.1)
    assert set(load_logs("runs")["method"]) == {"mine"}


def test_the_method_of_the_readme_is_one_file_works_and_is_drawn(tmp_path):
    """As a new user would: the file beside the others, then the commands it names.

    And, beside the others in Figure 1, in its picture.
    """
    shutil.copytree(ROOT / "rofit", tmp_path / "rofit")
    (tmp_path / "rofit" / "figures").symlink_to(ROOT / "figures")
    shutil.copytree(ROOT / "analyses", tmp_path / "rofit" / "analyses")
    (tmp_path / "rofit" / "methods" / "focal_at.py").write_text(BLOCKS[2])
    env = os.environ | {"PYTHONPATH": str(tmp_path), "ROFIT_HOME": str(tmp_path)}
    words = ["train", "--method", "focal_at", "--scale", "smoke", "--json"]

    def made(*words: str) -> str:
        command = [sys.executable, "-m", "rofit", *words]
        ended = subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    found = []
    for more in ([], ["--set", "focal_gamma=1"], ["--labels", "sglr"]):
        found += json.loads(made(*words, *more))["runs"]
    assert [run["state"] for run in found] == ["done"] * 3
    logs = load_logs(tmp_path / "runs")
    assert set(logs["method"]) == {"focal_at"}
    assert set(logs["method_params.focal_gamma"]) == {1.0, 2.0}
    figure_1 = tmp_path / "rofit" / "analyses" / "fig1_gradnorm.py"
    text = figure_1.read_text()
    beside = text.replace('METHODS = ("pgd_at", "sgls")', f"METHODS = {DRAWN}")
    figure_1.write_text(beside)
    made("run", "fig1_gradnorm", "--scale", "smoke")
    (picture,) = (tmp_path / "results").rglob("fig1_gradnorm.png")
    table = pd.read_csv(picture.with_name("table.csv"))
    assert set(table["method"]) == set(DRAWN)


def test_pictures_of_the_readme_are_in_the_gallery():
    shown = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    assert shown
    for path in shown:
        assert (ROOT / path).is_file(), path
        assert (ROOT / path).is_relative_to(GALLERY)


def test_claims_of_the_readme_are_those_that_the_command_wrote():
    shown = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    for picture in shown:
        path = (ROOT / picture).parent / "claims.md"
        assert path.read_text() in README, f"{path} is not in README as it was written"
