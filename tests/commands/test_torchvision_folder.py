"""--data with torchvision's folder, at scales that are of digits without it."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from command_line import is_one_sentence, rofit

from rofit.data.known import DATASETS
from rofit.reproduction.plan import Request, beyond_scale, plan

pytestmark = pytest.mark.usefixtures("requested_urls")  # no network

TINY = "train_size=20 val_size=10 test_size=10 batch_size=10 epochs=1".split()
TINY = [f"--set={pair}" for pair in TINY]


def _folder(path: Path, *names: str) -> Path:
    """Return a folder in which the files of data sets are, by their names alone."""
    for name in names:
        for file in DATASETS[name].files:
            (path / file).parent.mkdir(parents=True, exist_ok=True)
            (path / file).touch()
    return path


def _mnist(path: Path) -> Path:
    rng = np.random.default_rng(0)
    raw = path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        images = rng.integers(0, 256, (40, 28, 28), dtype=np.uint8)
        labels = np.arange(40, dtype=np.uint8) % 10
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            sizes = struct.pack(f">{array.ndim}I", *array.shape)
            header = bytes([0, 0, 8, array.ndim]) + sizes
            (raw / f"{part}-{kind}-ubyte").write_bytes(header + array.tobytes())
    return path


def _planned(home: Path, *words: object) -> list[str]:
    answer = rofit(home, *words, "--dry-run", "--json")
    assert (answer.code, answer.err) == (0, "")
    return [row["run"] for row in json.loads(answer.out)["runs"]]


@pytest.mark.parametrize("scale", ["smoke", "demo"])
def test_train_is_of_the_folders_images_at_a_scale_of_digits(tmp_path, scale):
    folder = _folder(tmp_path / "data", "cifar10", "mnist")
    words = ("train", "--scale", scale, "--data", folder)
    (run,) = _planned(tmp_path, *words)
    assert run.startswith("pgd_at-cifar10-")
    said = rofit(tmp_path, *words, "--dry-run").out
    assert "images of cifar10" in " ".join(said.split())
    for named in (("--dataset", "mnist"), ("--set", "dataset=mnist")):
        (run,) = _planned(tmp_path, *words, *named)
        assert run.startswith("pgd_at-mnist-")
    (run,) = _planned(tmp_path, *words, "--dataset", "digits")
    assert run == _planned(tmp_path, "train", "--scale", scale)[0]


def test_train_refuses_a_folder_without_the_runs_data_set(tmp_path):
    folder = _mnist(tmp_path / "data")
    words = ("train", "--scale", "smoke", "--data", folder)
    answer = rofit(tmp_path, *words)
    is_one_sentence(
        answer,
        "scale smoke is of digits, and the folder of --data holds mnist; name one by "
        "--dataset, or leave --data out",
    )
    assert not list(tmp_path.glob("runs/*"))
    answer = rofit(tmp_path, *words, "--dataset", "mnist", *TINY, "--quiet", "--json")
    assert (answer.code, answer.err) == (0, "")
    (row,) = json.loads(answer.out)["runs"]
    assert row["run"].startswith("pgd_at-mnist-") and row["state"] == "done"


def test_analysis_is_of_the_folders_images_in_a_result_of_its_own(tmp_path):
    folder = _folder(tmp_path / "data", "cifar10")
    words = ("run", "fig1_gradnorm", "--scale", "smoke", "--data", folder)
    runs = _planned(tmp_path, *words)
    assert runs and all("-cifar10-" in run for run in runs)
    request = Request("fig1_gradnorm", "smoke", known=("cifar10",))
    assert request.folder == "smoke+cifar10"
    digits = plan(Request("fig1_gradnorm", "smoke"))
    expected = [spec.replace(dataset="cifar10") for spec in digits]
    assert plan(request) == expected


def test_analysis_of_other_data_sets_is_refused(tmp_path):
    folder = _folder(tmp_path / "data", "cifar10", "svhn")
    words = ("run", "fig6_cifar100", "--scale", "smoke", "--data", folder)
    is_one_sentence(
        rofit(tmp_path, *words),
        "the analysis is of cifar100, and the folder of --data holds cifar10, svhn; "
        "leave --data out for digits, which scale smoke is of",
    )


def test_of_data_sets_that_are_compared_those_in_the_folder_are_taken():
    request = Request("table1_main", "smoke", known=("cifar100",))
    specs = plan(request)
    assert {spec.dataset for spec in specs} == {"digits", "cifar100"}
    assert beyond_scale(request, specs) == set()
    both = Request("table1_main", "smoke", known=("cifar100", "cifar10", "mnist"))
    assert {spec.dataset for spec in plan(both)} == {"cifar10", "cifar100"}
    assert beyond_scale(both, plan(both)) == set()
    assert both.folder == "smoke+cifar10+cifar100"


@pytest.mark.parametrize("scale", ["cpu", "paper"])
def test_at_other_scales_the_folder_is_where_data_sets_are_and_no_more(scale):
    for name in ("fig1_gradnorm", "fig6_cifar100", "table1_main"):
        request = Request(name, scale, known=("mnist",))
        assert plan(request) == plan(Request(name, scale))
        assert request.folder == scale


def test_status_leaves_out_analyses_of_other_data_sets(tmp_path):
    folder = _folder(tmp_path / "data", "cifar100")
    answer = rofit(tmp_path, "status", "--scale", "demo", "--data", folder, "--json")
    assert (answer.code, answer.err) == (0, "")
    names = [row["analysis"] for row in json.loads(answer.out)["analyses"]]
    assert "fig6_cifar100" in names and "fig1_gradnorm" not in names
