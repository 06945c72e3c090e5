"""README is kept true: its commands run, its notebook lines too, its table is ours."""

import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
from command_line import rofit

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
GALLERY = ROOT / "figures" / "gallery"


def commands():
    """Return README's rofit commands, at smoke scale and without data from outside."""
    found = []
    for block in re.findall(r"^```\n(.*?)^```", README, flags=re.M | re.S):
        for line in block.splitlines():
            text = line.split("#")[0].strip()
            if text.startswith("rofit ") and "--fetch" not in text:
                text = re.sub(r"--scale \w+", "--scale smoke", text)
                found.append(re.sub(r"--data \S+", "", text))
    return found


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("readme")


def test_every_command_of_the_readme_runs(store):
    assert len(commands()) >= 6
    for text in commands():
        run_id = next((path.name for path in (store / "runs").glob("*")), "none")
        words = shlex.split(text.replace("RUN", run_id))[1:]
        answer = rofit(store, *words)
        assert answer.code == 0, f"{text}: {answer.err}"


def test_the_notebook_lines_of_the_readme_run(store, monkeypatch):
    test_every_command_of_the_readme_runs(store)
    monkeypatch.chdir(store)
    (block,) = re.findall(r"^```python\n(.*?)^```", README, flags=re.M | re.S)
    names = {}
    exec(block, names)
    assert isinstance(names["logs"], pd.DataFrame)
    assert len(names["test"])


def test_pictures_of_the_readme_are_in_the_gallery():
    shown = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    assert shown
    for path in shown:
        assert (ROOT / path).is_file(), path
        assert (ROOT / path).is_relative_to(GALLERY)


def test_claims_of_the_readme_are_those_that_the_command_wrote():
    tables = list(GALLERY.glob("*/claims.md"))
    assert tables
    for path in tables:
        assert path.read_text() in README, f"{path} is not in README as it was written"
