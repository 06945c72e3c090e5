"""README and docs are kept true: what they show runs, their pictures are ours."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pandas as pd
import pytest
import torch
from command_line import rofit
from documents import ROOT, TEXTS, blocks, prose
from few_images import few_images
from their_networks import PreActResNet
from torch import nn

from rofit import load_logs

# What a user is shown; analyses/ has what is for whoever has a GPU.
SHOWN = {name: text for name, text in TEXTS.items() if not name.startswith("analyses")}
SMALL_BENCH = "rofit bench --model preact_tiny --batch-size 4 --rounds 2 --engine eager"
SHORT = "cw,apgd-ce" if find_spec("pyautoattack") else "cw"
GALLERY = ROOT / "figures" / "gallery"
FOREIGN = "model_best.pth --dataset digits"
PYTHON = [block for text in SHOWN.values() for block in blocks(text, "python")]


def commands():
    """Return the rofit commands shown, at smoke scale and without data from outside."""
    lines = [
        line.split("#")[0].strip()
        for text in SHOWN.values()
        for block in blocks(text)
        for line in block.splitlines()
    ]
    made = []
    for text in dict.fromkeys(lines):
        if text.startswith("rofit ") and "--fetch" not in text:
            text = re.sub(r"--scale \w+", "--scale smoke", text)
            text = re.sub(r"^rofit bench$", SMALL_BENCH, text)
            text = text.replace("cw,autoattack", SHORT)  # as long as a test
            text = text.replace("model_best.pth --dataset cifar10", FOREIGN)
            made.append(re.sub(r"--data \S+", "", text))
    return made


def python_block(words):
    """Return the one Python block with these words in it."""
    (block,) = (block for block in PYTHON if words in block)
    return block


LOGS = python_block("best_last_gap(logs)")
WATCH = python_block("watched = watch(")
METHOD = python_block("def build(")
CALLS = python_block("rofit.train(spec)")
IN_MEMORY = python_block("save_adversarial=")
LIGHTNING = python_block("from rofit.interop.lightning")
TRAINER = python_block("from rofit.interop.transformers")
DRAWN = ("pgd_at", "sgls", "focal_at")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A folder in which every command that is shown has run."""
    home = tmp_path_factory.mktemp("readme")
    foreign = {"state_dict": PreActResNet(width=4, c=1).state_dict()}
    torch.save(foreign | {"test_robust_acc": 0.1}, home / "model_best.pth")
    paths = {
        "FOLDER": home / "exported",
        "DIR": home / "published",
        "model_best.pth": home / "model_best.pth",
    }
    with few_images():
        for text in commands():
            runs = iter(sorted(path.name for path in (home / "runs").glob("*")))
            words = [next(runs) if w == "RUN" else w for w in shlex.split(text)]
            words = [paths.get(word, word) for word in words]
            answer = rofit(home, *words[1:])
            assert answer.code == 0, f"{text}: {answer.err}"
    return home


def test_every_command_that_is_shown_runs(store):
    assert len(commands()) >= 10
    assert list((store / "results").rglob("*.png"))
    pytest.importorskip("pyautoattack")  # all but its attack ran without it


def test_every_make_target_that_is_named_is_there():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
    named = {
        match[1]
        for text in TEXTS.values()
        for code in [*re.findall(r"`([^`]+)`", prose(text)), *blocks(text)]
        for match in re.finditer(r"^make ([\w-]+)", code, re.M)
    }
    assert {"demo", "test", "docs", "gpu"} <= named <= set(targets)


def test_no_python_that_is_shown_goes_without_a_test():
    trainers = [LIGHTNING, TRAINER]
    assert sorted(PYTHON) == sorted([LOGS, WATCH, METHOD, CALLS, IN_MEMORY, *trainers])


def test_the_notebook_lines_run(store, monkeypatch):
    monkeypatch.chdir(store)
    names = {}
    exec(LOGS, names)
    assert isinstance(names["logs"], pd.DataFrame)
    assert len(names["test"])


def test_the_calls_run(tmp_path, monkeypatch):
    monkeypatch.setenv("ROFIT_HOME", str(tmp_path))
    names = {}
    exec(CALLS, names)
    assert (
        names["run"].state == "done" and names["run"].path.parent == tmp_path / "runs"
    )
    assert names["table"]["accuracy"].notna().all() and len(names["table"]) == 4


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A folder to work in, with the names that the lines of loops use."""
    monkeypatch.chdir(tmp_path)
    x = torch.randint(256, (6, 3, 8, 8)) / 255
    y = torch.tensor([0, 1, 2, 0, 1, 2])
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    return {"model": model, "x": x, "y": y, "x_test": x, "y_test": y}


def test_the_watch_lines_run(small):
    exec(WATCH, small)
    logits = small["model"](small["x"])
    loss = nn.functional.cross_entropy(logits, small["y"])
    loss.backward()
    small["watched"].step(logits, small["y"], loss)
    small["watched"].epoch(lr=0.1)
    assert set(load_logs("runs")["method"]) == {"mine"}


def test_the_lines_of_a_network_in_memory_run(small, tmp_path):
    exec(IN_MEMORY, small)
    assert small["table"]["accuracy"].notna().all()
    assert (tmp_path / "adversarial.npz").exists()


@pytest.mark.filterwarnings("ignore")  # of the trainers
def test_the_lines_of_lightning_run(small):
    lightning = pytest.importorskip("lightning.pytorch")

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = small["model"]

        def training_step(self, batch, batch_idx):
            return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    data = torch.utils.data.TensorDataset(small["x"], small["y"])
    loader = torch.utils.data.DataLoader(data, batch_size=3)
    names = ("logger", "enable_checkpointing", "enable_progress_bar")
    quiet = {"accelerator": "cpu", "enable_model_summary": False}
    small |= {"module": Module(), "loader": loader, "quiet": quiet}
    quiet |= dict.fromkeys(names, False)
    exec(LIGHTNING, small)
    assert set(load_logs("runs")["epoch"]) == {1, 2}


@pytest.mark.filterwarnings("ignore")
def test_the_lines_of_the_trainer_run(small):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = small["model"]

        def forward(self, pixel_values, labels=None):
            logits = self.net(pixel_values)
            loss = (
                None if labels is None else nn.functional.cross_entropy(logits, labels)
            )
            return {"loss": loss, "logits": logits}

    pairs = zip(small["x"], small["y"], strict=True)
    small["data"] = [{"pixel_values": a, "labels": b} for a, b in pairs]
    small["arguments"] = transformers.TrainingArguments(
        output_dir="own", num_train_epochs=2, use_cpu=True, report_to=[],
        save_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    exec(TRAINER, small | {"model": Model()})
    assert set(load_logs("runs")["epoch"]) == {1, 2}


def test_the_method_of_the_readme_is_one_file_works_and_is_drawn(tmp_path):
    """As a new user would: the file beside the others, then the commands it names.

    And, beside the others in Figure 1, in its picture. In one process, but for that as
    typed.
    """
    shutil.copytree(ROOT / "rofit", tmp_path / "rofit")
    (tmp_path / "rofit" / "figures").symlink_to(ROOT / "figures")
    shutil.copytree(ROOT / "analyses", tmp_path / "rofit" / "analyses")
    (tmp_path / "rofit" / "methods" / "focal_at.py").write_text(METHOD)
    figure_1 = tmp_path / "rofit" / "analyses" / "fig1_gradnorm.py"
    beside = f"METHODS = {DRAWN}"
    text = figure_1.read_text().replace('METHODS = ("pgd_at", "sgls")', beside)
    assert beside in text
    figure_1.write_text(text)
    words = ["train", "--method", "focal_at", "--scale", "smoke", "--json"]
    components = ["--labels", "sglr", "--weights", "awp"]
    options = ([], ["--set", "focal_gamma=1"], components)
    commands = [[*words, *more] for more in options]
    commands.append(["run", "fig1_gradnorm", "--scale", "smoke", "--json"])
    code = "import sys; from rofit.cli import cli\n" + "".join(
        f"assert not cli.main({command}, standalone_mode=False); print()\n"
        for command in commands
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "ROFIT_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    answers = map(json.loads, ended.stdout.split("\n\n")[:3])
    trained = [run for answer in answers for run in answer["runs"]]
    assert [run["state"] for run in trained] == ["done"] * 3
    logs = load_logs(tmp_path / "runs", [run["run"] for run in trained])
    assert set(logs["method"]) == {"focal_at"}
    assert set(logs["method_params.focal_gamma"]) == {1.0, 2.0}
    (picture,) = (tmp_path / "results").rglob("fig1_gradnorm.png")
    table = pd.read_csv(picture.with_name("table.csv"))
    assert set(table["method"]) == set(DRAWN)


@pytest.mark.parametrize("name", ["README.md", "docs/results.md"])
def test_pictures_are_in_the_gallery_with_the_claims_that_the_command_wrote(name):
    shown = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", TEXTS[name])
    assert shown
    for picture in shown:
        path = (ROOT / name).parent / picture
        assert path.is_file() and path.resolve().is_relative_to(GALLERY)
        claims = (path.parent / "claims.md").read_text()
        assert claims in TEXTS[name], f"{name} has not the claims of {picture}"


def test_no_other_document_shows_pictures():
    """Of those there would be no test."""
    assert [name for name, text in TEXTS.items() if "![" in text] == [
        "README.md",
        "docs/results.md",
    ]
