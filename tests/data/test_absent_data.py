"""Analyses that compare data sets, where some of the data are not there."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from command_line import rofit
from made_up_logs import course, write_run
from PIL import Image
from rofit.figures import _tables

from rofit.commands import inventory
from rofit.errors import UserError
from rofit.measures.metrics import best_last_gap
from rofit.reproduction import catalog
from rofit.reproduction.plan import Request, plan
from rofit.running import components
from rofit.settings.spec import RunSpec

pytestmark = pytest.mark.usefixtures("requested_urls")  # no network

TINY = (
    "train_size=6 val_size=2 test_size=4 batch_size=3 epochs=1 attack_steps=1 "
    "eval_steps=1 model=preact_tiny crop_pad=0"
).split()
WORDS = ("--scale", "paper", "--quiet", *(f"--set={pair}" for pair in TINY))
ROWS = {"measured": "epoch_end", "metric": "accuracy", "attack": "pgd1"}
SOME, NONE, OTHER = "table0_some", "table0_none", "table0_other"


def _says(text: str, name: str) -> bool:
    """Return whether a text says in one line how to get a data set."""
    how = f"rofit data {name} --fetch" in text and "--data" in text
    return how and "\n" not in text.strip()


@pytest.fixture
def analyses(monkeypatch) -> Callable[..., None]:
    """A function that puts analyses of PGD-AT on some data sets in place of ours."""
    figure, known = SimpleNamespace(render=_render), catalog.load_figure
    monkeypatch.setattr(inventory, "diagnostics", lambda names: ())

    def put(*, evaluations: tuple[str, ...] = (), **named: tuple[str, ...]) -> None:
        def load(name: str) -> SimpleNamespace:
            return SimpleNamespace(
                PAPER="Table 0",
                DIAGNOSTICS=(),
                EVALUATIONS=evaluations,
                COLUMNS=dict.fromkeys(["dataset", "seed", "last", "n"], "a column"),
                runs=lambda: [RunSpec(dataset=dataset) for dataset in named[name]],
                table=_table,
                claims=lambda table: [],
            )

        monkeypatch.setattr(catalog, "load_analysis", load)
        monkeypatch.setattr(
            catalog, "load_figure", lambda n: figure if n in named else known(n)
        )

    return put


def _table(logs: pd.DataFrame) -> pd.DataFrame:
    about = logs.drop_duplicates("run_id").set_index("run_id")
    table = about[["dataset", "seed"]].assign(last=best_last_gap(logs)["last"], n=4)
    return table.astype({"dataset": str}).reset_index(drop=True)


def _render(table: pd.DataFrame) -> dict[str, str]:
    return {"md": "| a table |\n" + _tables.note(table)}


def _archive(path: Path) -> Path:
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as packed:
        for number in range(24):
            file = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), "u1")).save(file, "PNG")
            split, label = ("train", "test")[number % 2], ("cat", "dog")[number % 4 > 1]
            packed.writestr(f"{split}/{label}/{number}.png", file.getvalue())
    return path


def _run(home: Path, *words: object, seeds: int = 1):
    return rofit(home, "run", *words, *WORDS, "--seeds", seeds)


def _result(home: Path, name: str = SOME) -> tuple[pd.DataFrame, str]:
    (folder,) = home.glob(f"results/*/{name}")
    return pd.read_csv(folder / "table.csv"), (folder / f"{name}.md").read_text()


def _runs(home: Path) -> list[str]:
    """Return the data sets that something was trained on."""
    files = home.glob("runs/*/spec.json")
    return sorted(json.loads(file.read_text())["dataset"] for file in files)


def test_what_is_there_is_drawn_and_the_table_says_what_is_missing(tmp_path, analyses):
    analyses(table0_some=("digits", "svhn"))
    answer = _run(tmp_path, SOME)
    assert (answer.code, answer.err) == (0, "")
    table, text = _result(tmp_path)
    assert set(table["dataset"]) == {"digits"} and _runs(tmp_path) == ["digits"]
    (absent,) = set(table["absent"])
    assert absent.startswith("svhn (") and _says(absent, "svhn")
    assert text.splitlines()[-1].endswith(f"not drawn: {absent}")
    assert text.count("\n") == 1, "one line"
    next(tmp_path.glob(f"results/*/*/{SOME}.md")).unlink()
    assert _run(tmp_path, SOME, "--redraw").code == 0
    assert _result(tmp_path)[1] == text, "drawn again from the table"


def test_data_set_without_a_loader_says_what_its_archive_is_called(tmp_path, analyses):
    analyses(table0_some=("digits", "tiny_imagenet"))
    assert _run(tmp_path, SOME).code == 0
    assert _result(tmp_path)[0]["absent"].tolist() == [
        "tiny_imagenet (pass an archive of its class folders with --data, called "
        "tiny_imagenet.tar)"
    ]


def test_archive_of_that_name_is_then_that_data_set(tmp_path, analyses):
    analyses(table0_some=("digits", "tiny_imagenet"))
    archive = _archive(tmp_path / "tiny_imagenet.zip")
    assert _run(tmp_path, SOME, "--data", archive).code == 0
    table, text = _result(tmp_path)
    assert table["dataset"].tolist() == ["digits", "tiny_imagenet"]
    assert "absent" not in table and "not drawn" not in text


def test_nothing_there_at_all_is_one_sentence_and_code_2(
    tmp_path, analyses, requested_urls
):
    analyses(table0_none=("svhn", "cifar100"))
    answer = _run(tmp_path, NONE, "--json", seeds=3)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("rofit: ") and NONE in answer.err
    assert all(_says(answer.err, name) for name in ("svhn", "cifar100"))
    assert answer.err.count("\n") == 1 and "Traceback" not in answer.err
    assert not list(tmp_path.glob("r*/*")), "nothing else took its place"
    assert len(set(requested_urls)) == len(requested_urls), (
        "nothing is asked for once a run"
    )


@pytest.mark.parametrize("names", [(SOME, NONE), (NONE, SOME)])
def test_one_of_several_analyses_is_left_out_with_a_line(tmp_path, analyses, names):
    analyses(table0_some=("digits",), table0_none=("cifar100",))
    answer = _run(tmp_path, *names, "--json")
    assert answer.code == 0 and _says(answer.err, "cifar100")
    assert answer.err.startswith("rofit: left out: ") and NONE in answer.err
    (result,) = json.loads(answer.out)["results"]
    assert result["analysis"] == SOME and Path(result["shown"]).exists()
    assert not list(tmp_path.glob(f"results/*/{NONE}"))


def test_nothing_of_several_analyses_is_not_called_done(tmp_path, analyses):
    analyses(table0_none=("svhn",), table0_other=("cifar100",))
    answer = _run(tmp_path, NONE, OTHER)
    assert (answer.code, answer.err.count("rofit: left out: ")) == (2, 2)


def test_drawing_again_passes_over_the_one_that_was_left_out(tmp_path, analyses):
    analyses(table0_some=("digits",), table0_none=("cifar100",))
    assert _run(tmp_path, NONE, SOME).code == 0
    assert _run(tmp_path, NONE, SOME, "--redraw").code == 0


def test_copy_takes_the_place_of_its_own_data_set_only(tmp_path, analyses):
    analyses(table0_some=("cifar10", "cifar100"))
    copy = _archive(tmp_path / "cifar10-mini.zip")
    assert _run(tmp_path, SOME, "--data", copy).code == 0
    table, text = _result(tmp_path)
    assert table["dataset"].tolist() == _runs(tmp_path) == ["cifar10-mini"]
    assert _says(table["absent"][0], "cifar100")
    assert "; cifar10 (mini), 6 training images" in text


@pytest.mark.parametrize("name", ["mine", "cifar-10", "cifar"])
def test_images_of_another_name_take_nobodys_place(tmp_path, analyses, name):
    analyses(table0_some=("cifar10", "cifar100"))
    answer = _run(tmp_path, SOME, "--data", _archive(tmp_path / f"{name}.zip"))
    assert answer.code == 2 and answer.err.count("\n") == 1
    assert f"of cifar10, cifar100, and {name} is none of them; " in answer.err
    assert not list(tmp_path.glob("r*/*"))


def test_copy_that_one_of_several_analyses_cannot_use_leaves_it_out(tmp_path, analyses):
    analyses(table0_some=("cifar10",), table0_none=("cifar100",))
    copy = _archive(tmp_path / "cifar10-mini.zip")
    answer = _run(tmp_path, SOME, NONE, "--data", copy)
    assert answer.code == 0 and answer.err.startswith(f"rofit: left out: {NONE}")
    assert _result(tmp_path)[0]["dataset"].tolist() == ["cifar10-mini"]


def test_data_that_are_told_are_those_of_every_row(tmp_path, analyses):
    analyses(table0_some=("digits", "cifar100"))
    copy = _archive(tmp_path / "cifar100-mini.zip")
    assert _run(tmp_path, SOME, "--data", copy).code == 0
    table, text = _result(tmp_path)
    assert table["dataset"].tolist() == ["digits", "cifar100-mini"]
    assert "digits" in text and "cifar100 (mini)" in text


def test_runs_that_are_done_need_no_data(tmp_path, analyses, requested_urls):
    analyses(table0_some=("svhn", "cifar100"))
    settings = dict(pair.split("=") for pair in TINY)
    for spec in plan(Request(SOME, "paper", settings, 1)):
        rows = course([0.25], **ROWS, split="test", n=4)
        write_run(tmp_path / "runs", spec, rows + course([0.5], **ROWS, split="val"))
    answer = _run(tmp_path, SOME)
    assert (answer.code, answer.err, requested_urls) == (0, "", [])
    table, text = _result(tmp_path)
    assert table["dataset"].tolist() == ["svhn", "cifar100"]
    assert table["last"].tolist() == [0.25, 0.25] and "absent" not in table


def test_evaluations_that_are_done_need_no_data(tmp_path, analyses, monkeypatch):
    def gone(*_: object) -> None:
        raise UserError("the data are gone")

    analyses(table0_some=("digits",), evaluations=("clean",))
    assert _run(tmp_path, SOME).code == 0
    monkeypatch.setattr(components, "_load_data", gone)
    answer = _run(tmp_path, SOME)
    assert (answer.code, answer.err) == (0, "")
