"""Who may import whom: the table of the design, read off the imports of every file."""

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]

# A word is a layer (all its modules), a module or package of rofit, or somebody else's
# package; everybody may import the standard library and the files of their own package.
# A module of rofit that stands in no line is an error: give it a line first.
TABLE = """
layer | modules                    | may import       | inside functions | as types
0     | errors knobs threat spec   | 0                |                  |
      | recipes claims places      |                  |                  |
0s    | seeding                    | numpy            | torch            | torch
0t    | modes losses precision     | 0 torch          |                  |
0m    | metrics epochs reported    | 0 0m pandas      |                  |
      | best_last                  | numpy            |                  |
0i    | information tsne           | numpy scipy      |                  |
      |                            | sklearn          |                  |
1     | data                       | 0 numpy PIL      | seeding sklearn  |
      |                            | torch            | torchvision      |
1     | models                     | 0 0t torch       |                  |
      |                            | torchvision      |                  |
1     | attacks weights            | 0 0t torch       |                  |
1     | labels                     | 0 0t weights     |                  |
      |                            | torch            |                  |
1e    | evaluation                 | 0 0s 0t attacks  | pyautoattack     |
      |                            | torch pandas     |                  |
2m    | methods                    | 0 0s 0t 1 torch  |                  |
2d    | diagnostics                | 0 0s 0t 1 1e     |                  |
      |                            | torch            |                  |
3     | training                   | 0 0s 0t data 1e  |                  | 2m 2d
      |                            | attacks models   |                  | 3p store
      |                            | torch            |                  |
3p    | environment                | 0                | torch            |
3p    | progress                   | 0 rich           |                  |
3s    | scales store logs          | 0 3s filelock    |                  |
      | evaluations                | pandas pyarrow   |                  |
3r    | resolve                    | 0 2m             |                  |
4     | runner jobs watch views    | 0 0s 0t 1 1e     |                  |
      | parts subject evaluator    | 2m 2d 3 3p 3r    |                  |
      | checks                     | logs store torch |                  |
      |                            | evaluations      |                  |
      |                            | pandas rich 4    |                  |
      |                            | numpy            |                  |
4b    | bench                      | 0 0s 0t 1 1e 2m  |                  |
      |                            | 2d 3 3p 4 torch  |                  |
      |                            | numpy pandas     | pyautoattack     |
      |                            | torchvision      |                  |
5     | catalog reproduce wanted   | 0 3p 3s 5 data   | 3r 4             |
      |                            | pandas           |                  |
4e    | evaluation_jobs            | 0 1e 3 3p 3s 4   |                  |
      |                            | rich             |                  |
6     | commands                   | 0 0m 1e 3 3p 3r  | data models 2m   |
      |                            | 3s 4 4e 5 torch  | 2d 4b            |
      |                            | pandas rich      |                  |
      |                            | click            |                  |
7     | cli                        | 0 5 6 click      |                  |
8     | rofit __main__             | cli              |                  | spec 0m logs
A     | analyses                   | spec recipes     | tsne             |
      |                            | claims errors 0m |                  |
      |                            | information      |                  |
      |                            | pandas numpy     |                  |
      |                            | scipy            |                  |
F     | figures                    | pandas numpy     |                  |
      |                            | matplotlib       |                  |
      |                            | seaborn          |                  |
"""


class Row(NamedTuple):
    layer: set[str]
    modules: set[str]
    module_level: set[str]
    lazy: set[str]
    type: set[str]


class Import(NamedTuple):
    name: str  # dotted, as in sys.modules
    when: str  # module_level, lazy (inside a function) or type (under TYPE_CHECKING)


def _rows() -> list[Row]:
    rows: list[Row] = []
    for line in TABLE.strip().splitlines()[1:]:
        cells = [set(cell.split()) for cell in line.split("|")]
        if cells[0]:
            rows.append(Row(*cells))
        else:
            for known, more in zip(rows[-1], cells, strict=True):
                known |= more
    return rows


ROWS = _rows()
LAYERS: dict[str, set[str]] = {}
for _row in ROWS:
    for _name in _row.layer:
        LAYERS[_name] = LAYERS.get(_name, set()) | _row.modules


def _files() -> dict[str, Path]:
    """Return module name -> file, as installed."""
    found = {}
    for folder in ("rofit", "analyses", "figures"):
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            full = parts if folder == "rofit" else ("rofit", *parts)
            found[".".join(full).removesuffix(".__init__")] = path
    return found


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
    """Return the words that a module may import, layers being spelled out."""
    (row,) = (row for row in ROWS if unit in row.modules)
    words = row.module_level | (set() if when == "module_level" else getattr(row, when))
    return {unit}.union(*(LAYERS.get(word, {word}) for word in words))


def test_every_module_has_one_line_in_the_table_and_every_line_a_module():
    listed = [module for row in ROWS for module in row.modules]
    assert sorted(listed) == sorted({_unit(module) for module in FILES})


def test_the_table_names_only_what_exists():
    outside = "numpy torch torchvision sklearn PIL pandas pyarrow filelock scipy"
    known = {*LAYERS, *(_unit(module) for module in FILES)}
    known |= {
        "pyautoattack",
        *outside.split(),
        *"rich click matplotlib seaborn".split(),
    }
    told = {word for row in ROWS for cell in row[2:] for word in cell}
    assert told <= known


@pytest.mark.parametrize("module", sorted(FILES))
def test_module_imports_only_what_its_layer_may(module):
    unit = _unit(module)
    wrong = [
        each
        for each in _all_imports(module)
        if _unit(each.name) not in sys.stdlib_module_names | {"__future__"}
        and _unit(each.name) not in _may_import(unit, each.when)
    ]
    assert not wrong, f"{unit} may import {_may_import(unit, 'type')}, see the table"


def test_imports_form_no_circle():
    graph = {
        module: {
            each.name
            for each in _all_imports(module)
            if each.when != "type" and each.name in FILES and each.name != module
        }
        for module in FILES
    }
    assert set(TopologicalSorter(graph).static_order()) == set(FILES)


def test_only_catalog_package_and_methods_import_by_computed_names():
    text = {module: path.read_text() for module, path in FILES.items()}
    computed = {m for m, t in text.items() if "import_module" in t or "__import__" in t}
    assert computed == {"rofit", "rofit.catalog", "rofit.methods"}


def test_reader_of_imports_tells_apart_when_they_happen():
    source = """
from typing import TYPE_CHECKING
import rofit.spec, torch.nn as nn
if TYPE_CHECKING:
    from rofit.store import RunFolder
else:
    import click
class Lazy:
    def f(self):
        if True:
            from rofit import catalog, __version__
try:
    import rich
except ImportError:
    pass
"""
    assert set(_imports(ast.parse(source))) == {
        Import("typing", "module_level"),
        Import("rofit.spec", "module_level"),
        Import("torch.nn", "module_level"),
        Import("rofit.store", "type"),
        Import("click", "module_level"),
        Import("rofit.catalog", "lazy"),
        Import("rofit", "lazy"),
        Import("rich", "module_level"),
    }
