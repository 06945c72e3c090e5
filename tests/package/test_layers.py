"""Who may import whom: the table of the design, read off the imports of every file."""

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]

DOCUMENT = ROOT / "docs" / "architecture.md"
# Names of packages of others; everybody may import the standard library.
OTHERS = (
    "PIL click filelock jinja2 lightning matplotlib mlflow numpy pandas pyarrow "
    "pyautoattack rich safetensors scipy seaborn sklearn submitit tensorboard tomli "
    "tomllib torch torchvision trackio transformers wandb"
).split()


class Import(NamedTuple):
    name: str  # dotted, as in sys.modules
    when: str  # module_level, lazy (inside a function) or type (under TYPE_CHECKING)


def _table() -> dict[str, dict[str, set[str]]]:
    """Return room -> when -> what it may import, from the document's table."""
    text = DOCUMENT.read_text().partition("## Rooms\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in text.splitlines() if line[:1] == "|"]
    heads, rule, *rows = [[cell.strip() for cell in row] for row in rows]
    assert heads[2:] == ["imports", "inside functions", "for types"]
    return {
        room.strip("`/"): {
            "module_level": set(imports.split()),
            "lazy": set(lazy.split()),
            "type": set(types.split()),
        }
        for room, _, imports, lazy, types in rows
    }


ROOMS = _table()


def _files() -> dict[str, Path]:
    """Return module name -> file, as installed."""
    files = {}
    for folder in ("rofit", "analyses", "figures"):
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            full = parts if folder == "rofit" else ("rofit", *parts)
            files[".".join(full).removesuffix(".__init__")] = path
    return files


FILES = _files()


def _unit(module: str) -> str:
    """Return the word of the table that a dotted name falls under."""
    top, _, rest = module.partition(".")
    return rest.partition(".")[0] if top == "rofit" and rest else top


def _imports(node: ast.AST, when: str = "module_level") -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, when) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "rofit imports by full names"
            for alias in child.names:
                full = f"{child.module}.{alias.name}"
                yield Import(full if full in FILES else str(child.module), when)
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            for branch, kind in ((child.body, "type"), (child.orelse, when)):
                yield from _imports(ast.Module(branch, []), kind)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from _imports(child, "lazy" if inside and when != "type" else when)


def _all_imports(module: str) -> list[Import]:
    return list(_imports(ast.parse(FILES[module].read_text())))


def _may_import(unit: str, when: str) -> set[str]:
    row = ROOMS[unit]
    return (
        {unit} | row["module_level"] | (set() if when == "module_level" else row[when])
    )


def test_every_room_has_one_line_in_the_table_and_every_line_a_room():
    assert sorted(ROOMS) == sorted({_unit(module) for module in FILES})


def test_the_table_names_only_what_exists_and_what_is_imported():
    """A permission that nobody uses says something false of the house."""
    used = {
        (_unit(module), imported.when, _unit(imported.name))
        for module in FILES
        for imported in _all_imports(module)
    }
    for room, row in ROOMS.items():
        for when, names in row.items():
            assert names <= {*ROOMS, *OTHERS}, room
            assert {(room, when, name) for name in names} <= used, room


@pytest.mark.parametrize("module", sorted(FILES))
def test_module_imports_only_what_its_layer_may(module):
    unit = _unit(module)
    wrong = [
        imported
        for imported in _all_imports(module)
        if _unit(imported.name) not in sys.stdlib_module_names | {"__future__"}
        and _unit(imported.name) not in _may_import(unit, imported.when)
    ]
    assert not wrong, f"{unit} has a line in {DOCUMENT.name} without this"


def test_imports_form_no_circle():
    graph = {
        module: {
            imported.name
            for imported in _all_imports(module)
            if imported.when != "type"
            and imported.name in FILES
            and imported.name != module
        }
        for module in FILES
    }
    assert set(TopologicalSorter(graph).static_order()) == set(FILES)


def test_few_modules_import_by_computed_names():
    text = {module: path.read_text() for module, path in FILES.items()}
    computed = {m for m, t in text.items() if "import_module" in t or "__import__" in t}
    assert computed == {
        "rofit",
        "rofit.cli",
        "rofit.sinks",
        "rofit.methods",
        "rofit.reproduction.catalog",
    }


def test_reader_of_imports_tells_apart_when_they_happen():
    source = """
from typing import TYPE_CHECKING
import rofit.settings.spec, torch.nn as nn
if TYPE_CHECKING:
    from rofit.store.runs import RunFolder
else:
    import click
class Lazy:
    def f(self):
        if True:
            from rofit import __version__
            from rofit.reproduction import catalog
try:
    import rich
except ImportError:
    pass
"""
    assert set(_imports(ast.parse(source))) == {
        Import("typing", "module_level"),
        Import("rofit.settings.spec", "module_level"),
        Import("torch.nn", "module_level"),
        Import("rofit.store.runs", "type"),
        Import("click", "module_level"),
        Import("rofit.reproduction.catalog", "lazy"),
        Import("rofit", "lazy"),
        Import("rich", "module_level"),
    }
