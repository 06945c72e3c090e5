"""What the notebooks have in common; and those that train, evaluate and export."""

import re
import shutil

import pytest
from documents import TEXTS, blocks
from notebooks import FOLDER, code, execute, output, printed, read

from rofit import compare, load_logs

NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The folder in which own_method was executed, and the notebook."""
    folder = tmp_path_factory.mktemp("own")
    return folder, execute("own_method", folder)


@pytest.fixture(scope="module")
def evaluated(digits_run, tmp_path_factory):
    """The store that evaluate_export was executed on, its folder, and the notebook."""
    folder = tmp_path_factory.mktemp("evaluated")
    store = folder / "runs"
    shutil.copytree(digits_run.path, store / digits_run.path.name)
    return store, folder, execute("evaluate_export", folder, ROFIT_STORE=str(store))


def test_there_are_notebooks():
    assert NAMES == ["evaluate_export", "explore_logs", "own_method"]


@pytest.mark.parametrize("name", NAMES)
def test_notebook_is_committed_without_outputs(name):
    for cell in code(read(name)):
        assert cell.outputs == [] and cell.execution_count is None


@pytest.mark.parametrize("name", NAMES)
def test_notebook_begins_with_what_to_install(name):
    title, install, *_ = filter(None, read(name).cells[0].source.splitlines())
    assert title.startswith("# ")
    assert re.fullmatch(
        r"\*To install: `pip install .+` in rofit's folder\.\*", install
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_step_is_explained_before_it_is_made(name):
    cells = read(name).cells
    for before, cell in zip(cells, cells[1:], strict=False):
        if cell.cell_type == "code" and cell is not cells[-1]:
            assert before.cell_type == "markdown" or "def " in before.source


def test_every_cell_runs_without_an_error_or_a_warning(own, evaluated):
    for cell in [*code(own[-1]), *code(evaluated[-1])]:
        assert cell.execution_count
        assert {o.get("name", "stdout") for o in cell.outputs} <= {"stdout"}, cell


def test_the_method_of_the_notebook_is_that_of_the_readme(own):
    folder, _ = own
    (method,) = (b for b in blocks(TEXTS["README.md"], "python") if "def build(" in b)
    assert (folder / "focal_at.py").read_text().strip() == method.strip()


def test_own_method_and_own_diagnostic_are_in_the_logs(own):
    folder, notebook = own
    logs = load_logs(folder / "runs")
    margins = logs[logs["metric"] == "logit_margin"]
    assert set(margins["method"]) == {"pgd_at", "focal_at"}
    assert len(margins) == 4 and margins["value"].notna().all()
    (shown,) = output(notebook, "compare(logs)", "text/html")
    assert shown == compare(logs).round(3)._repr_html_()
    assert len(output(notebook, "", "image/png")) == 1


def test_the_margin_is_that_of_the_true_class_to_the_nearest_other(own):
    import torch

    from rofit.diagnostics.diagnostic import Column, StepView

    (source,) = (c.source for c in code(own[1]) if "class LogitMargin" in c.source)
    names = {"Column": Column, "StepView": StepView, "Tensor": torch.Tensor}
    names["DIAGNOSTICS"] = {}
    exec(source, names)
    logits = torch.tensor([[3.0, 1.0, 0.5], [0.0, 2.0, 6.0]])
    y = torch.tensor([0, 1])
    view = StepView(torch.nn.Identity(), logits, y, logits, logits.sum())
    measured = names["LogitMargin"]().measure(view)
    assert measured["logit_margin"].item() == ((3 - 1) + (2 - 6)) / 2
    assert set(measured) == set(names["LogitMargin"].columns)


def test_exported_network_predicts_what_the_evaluation_counted(evaluated):
    _, folder, notebook = evaluated
    here, table = re.findall(r"\d\.\d{3}", printed(notebook, "published/load.py"))
    assert here == table and float(here) > 0.5
    assert (folder / "published" / "model.safetensors").exists()


def test_worst_case_is_at_most_the_lowest_accuracy(evaluated):
    store, _, notebook = evaluated
    logs = load_logs(store)
    rows = logs[(logs["measured"] == "evaluation") & (logs["metric"] == "accuracy")]
    assert len(rows) == 6 and set(rows["attack"]) == {"none", "pgd20", "cw100"}
    said = printed(notebook, "fooled_by")
    for checkpoint, values in rows.groupby("checkpoint", observed=True)["value"]:
        (worst,) = re.findall(rf"{checkpoint}: ([\d.]+) % withstand", said)
        assert 0 < float(worst) <= 100 * values.min() < 100 * values.max()
