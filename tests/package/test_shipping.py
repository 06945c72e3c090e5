"""What is installed is whole, light to import, and works from any folder."""

import ast
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import rofit

from rofit.evaluation import internals
from rofit.reproduction import catalog
from rofit.sinks import SINKS

# pytest brings tomli where Python has no tomllib yet
tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SOURCES = sorted(
    path
    for folder in ("rofit", "analyses", "figures")
    for path in (ROOT / folder).rglob("*.py")
)
# Where the names differ.
DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow", "mlflow": "mlflow-skinny"}


def _python(code: str, folder: Path) -> str:
    """Return what *code* prints in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _stems(folder: str) -> list[str]:
    stems = sorted(path.stem for path in (ROOT / folder).glob("*.py"))
    return [stem for stem in stems if not stem.startswith("_")]


def test_package_list_is_the_folders_of_the_checkout():
    folders = {path.parent.relative_to(ROOT) for path in SOURCES}
    assert all((ROOT / folder / "__init__.py").exists() for folder in folders)
    names = {".".join(folder.parts) for folder in folders}
    shipped = {n if n.startswith("rofit") else f"rofit.{n}" for n in names}
    assert sorted(PROJECT["tool"]["setuptools"]["packages"]) == sorted(shipped)


def test_declared_dependencies_are_the_imported_packages():
    imported = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(str(node.module).partition(".")[0])
    foreign = imported - sys.stdlib_module_names - {"rofit"}
    names = {DISTRIBUTIONS.get(name, name) for name in foreign}
    project = PROJECT["project"]
    extras = project["optional-dependencies"].items()
    optional = [d for extra, listed in extras if extra != "dev" for d in listed]
    optional = {_name(d) for d in optional} & names
    assert sorted(map(_name, project["dependencies"])) == sorted(names - optional)


def test_tests_run_with_every_extra_but_trackio():
    """Which wants an older pillow, and has an environment of its own."""
    extras = PROJECT["project"]["optional-dependencies"]
    (whole,) = (d for d in extras["dev"] if d.startswith("rofit["))
    brought = set(re.findall(r"\w+", whole)) - {"rofit"}
    assert brought == extras.keys() - {"dev", "trackio"}


def test_every_sink_has_an_extra_that_brings_what_it_needs():
    extras = PROJECT["project"]["optional-dependencies"]
    for name, sink in SINKS.items():
        names = {_name(d) for d in extras.get(name, ())}
        assert {DISTRIBUTIONS.get(need, need) for need in sink.NEEDS} <= names, name


def _name(requirement: str) -> str:
    return re.split(r"[<>=!~;\[ ]", requirement)[0]


def test_pip_installs_the_pyautoattack_whose_internals_were_tested():
    """And asks for no other than the sentence that refuses one advises."""
    declared = [d for d in PROJECT["project"]["dependencies"] if "autoattack" in d]
    assert declared == [f"pyautoattack{internals.TESTED}"]


def test_every_analysis_has_a_figure_of_its_name_and_the_reverse():
    names = sorted(catalog.analysis_names())
    assert _stems("analyses") == _stems("figures") == names


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_file_is_short_and_reads_on_the_oldest_python(path):
    text = path.read_text()
    oldest = re.search(r"3\.(\d+)", PROJECT["project"]["requires-python"])
    assert oldest is not None
    ast.parse(text, feature_version=(3, int(oldest[1])))
    assert len(text.splitlines()) <= 250


def test_importing_rofit_imports_neither_torch_nor_pandas(tmp_path):
    code = "import sys, rofit; print({'torch', 'pandas'} & set(sys.modules) or 'none')"
    assert _python(code, tmp_path) == "none"


def test_logs_figures_analyses_and_command_line_import_without_torch(tmp_path):
    names = [
        *(
            "rofit.store.rows",
            "rofit.store.runs",
            "rofit.measures.metrics",
            "rofit.measures.claims",
            "rofit.cli",
        ),
        *(f"rofit.analyses.{name}" for name in _stems("analyses")),
        *(f"rofit.figures.{name}" for name in _stems("figures")),
    ]
    code = f"import sys, {', '.join(names)}; print('torch' in sys.modules)"
    assert _python(code, tmp_path) == "False"


def test_public_names_are_found_and_an_unknown_one_is_an_attribute_error():
    import rofit

    for name in rofit.__all__:
        assert getattr(rofit, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'RunSpecs'"):
        _ = rofit.RunSpecs


def test_list_names_everything_that_is_registered(tmp_path, monkeypatch):
    from rofit.augmentation import AUGMENTATIONS
    from rofit.data.datasets import DATASETS
    from rofit.diagnostics import DIAGNOSTICS
    from rofit.evaluation.cases import ATTACKS
    from rofit.methods import METHODS
    from rofit.models import MODELS
    from rofit.settings.recipes import AS_RELEASED, RECIPES
    from rofit.settings.scales import SCALES
    from rofit.training.schedules import SCHEDULES

    monkeypatch.chdir(tmp_path)
    answer = rofit(tmp_path, "list", "--json")
    assert (answer.code, answer.err) == (0, "")
    listed = {
        kind: [row["name"] for row in rows]
        for kind, rows in json.loads(answer.out).items()
    }
    assert listed == {
        "attacks": list(ATTACKS),
        "analyses": catalog.analysis_names(),
        "methods": list(METHODS),
        "data sets": list(DATASETS),
        "models": list(MODELS),
        "diagnostics": list(DIAGNOSTICS),
        "augmentations": list(AUGMENTATIONS),
        "schedules": list(SCHEDULES),
        "sinks": list(SINKS),
        "recipes": [*RECIPES, AS_RELEASED],
        "scales": list(SCALES),
    }
    assert list(tmp_path.iterdir()) == []


def test_list_works_from_a_folder_with_analyses_and_figures_of_its_own(tmp_path):
    for name in ("analyses", "figures"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemError('shadowed')")
    done = subprocess.run(
        [sys.executable, "-m", "rofit", "list"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert all(name in done.stdout for name in catalog.analysis_names())


@pytest.mark.parametrize("name", ["analyses", "figures"])
def test_folders_of_the_checkout_refuse_to_be_imported_by_themselves(name, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    with pytest.raises(ImportError, match=r"import rofit\.\w+; .* pip install -e \."):
        importlib.import_module(name)
