"""The notebooks of analyses/, executed in a kernel of their own."""

import os
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "analyses"


def read(name: str) -> Any:
    """Return a notebook of analyses/; the test is skipped without nbformat."""
    nbformat = pytest.importorskip("nbformat")
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code(notebook: Any) -> list[Any]:
    """Return its cells of code, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def execute(name: str, folder: Path, **variables: str) -> Any:
    """Return the notebook with its outputs, executed in *folder*."""
    pytest.importorskip("ipykernel")
    nbclient = pytest.importorskip("nbclient")
    notebook = read(name)
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in variables.items():
            patch.setenv(variable, value)
        for variable in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
            patch.setenv(variable, str(folder / variable))
        patch.delenv("MPLBACKEND", raising=False)
        nbclient.NotebookClient(
            notebook,
            timeout=300,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
        ).execute(env=dict(os.environ))
    return notebook


def output(notebook: Any, source: str, kind: str) -> list[str]:
    """Return the outputs of a kind in the cells that hold some source text."""
    return [
        output["data"][kind]
        for cell in code(notebook)
        if source in cell.source
        for output in cell.outputs
        if kind in output.get("data", {})
    ]


def printed(notebook: Any, source: str) -> str:
    """Return what the one cell that holds some source text has printed."""
    (cell,) = (cell for cell in code(notebook) if source in cell.source)
    return "".join(output.get("text", "") for output in cell.outputs)
