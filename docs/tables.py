"""Writes the tables in docs/*.md from what is registered: `make docs`.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end of table -->``. What lies
between is made here, so that a list of methods in a text cannot be wrong.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from gallery import analyses, claims
from measured import gpu_and_cpu, gpu_parity, gpu_parts, gpu_runs, hour, search

from rofit.commands.registries import KINDS
from rofit.data.known import DATASETS
from rofit.diagnostics import DIAGNOSTICS
from rofit.diagnostics.diagnostic import EpochDiagnostic
from rofit.methods import METHODS
from rofit.methods.released import RELEASED
from rofit.settings.spec import RunSpec

DOCS = Path(__file__).parent
_BLOCK = re.compile(r"(<!-- table: (.+?) -->\n).*?(<!-- end of table -->)", re.S)

Rows = Iterable[dict[str, str]]


def filled(text: str) -> str:
    """Return a document with all its tables made anew.

    Raises:
        KeyError: a marker names a table that does not exist.
    """
    return _BLOCK.sub(
        lambda block: block[1] + _markdown(TABLES[block[2]]()) + block[3], text
    )


def methods() -> Rows:
    """Return a row a method: what it is, and what it brings."""
    for row in KINDS["methods"]():
        yield {
            "name": _code(row["name"]),
            "what": row["about"],
            "brings": row["brings"],
        }


def sources() -> Rows:
    """Return a row a method: what its docstring says of its source and differences."""
    for name, module in METHODS.items():
        rest = re.sub(r"(?<=\w-)\n", "", module.__doc__ or "").partition("\n\n")[2]
        rest = " ".join(rest.split())
        before, word, after = rest.partition("Source: ")
        source, _, differs = (after if word else before).partition("Differs: ")
        yield {"name": _code(name), "source": source.strip(), "differs": differs}


def released() -> Rows:
    """Return a row a method whose released code is known: what it does otherwise."""
    for name, changes in RELEASED.items():
        pairs = (f"{key}={_typed(value)}" for key, value in changes.items())
        yield {"method": _code(name), "as_released": ", ".join(map(_code, pairs))}


def parameters() -> Rows:
    """Return a row a parameter of methods, with the methods that have it."""
    users: dict[tuple[str, ...], list[str]] = {}
    for name, module in METHODS.items():
        for row in _knobs(module.Params):
            users.setdefault(tuple(row.values()), []).append(_code(name))
    for (name, *columns), method_names in sorted(users.items()):
        default, span, meaning = columns
        yield {
            "name": name,
            "default": default,
            "range": span,
            "what": meaning,
            "methods": ", ".join(method_names),
        }


def settings() -> Rows:
    """Return a row a field of RunSpec."""
    return _knobs(RunSpec)


def diagnostics() -> Rows:
    """Return a row a diagnostic: when it is measured, and what that costs."""
    for name, kind in DIAGNOSTICS.items():
        when = "every step"
        if issubclass(kind, EpochDiagnostic):
            when = (
                f"{kind.when.times} times a run" if kind.when.times else "every epoch"
            )
        summary = (kind.__doc__ or "").splitlines()[0].rstrip(".")
        yield {"name": _code(name), "what": summary, "when": when, "cost": kind.cost}


def metrics(name: str) -> Rows:
    """Return a row a metric of the diagnostic called *name*."""
    for metric, column in DIAGNOSTICS[name].columns.items():
        yield {"metric": _code(metric), "unit": column.unit, "what": column.description}


def listed(kind: str) -> Rows:
    """Return the rows of `rofit list` of that kind."""
    for row in KINDS[kind]():
        yield {key: _code(v) if key == "name" else str(v) for key, v in row.items()}


def data_sets() -> Rows:
    """Return a row a data set."""
    for name, known in DATASETS.items():
        yield {"name": _code(name), "images": known.size}


TABLES: dict[str, Callable[[], Rows]] = {
    "methods": methods,
    "sources of methods": sources,
    "methods as released": released,
    "parameters of methods": parameters,
    "settings": settings,
    "diagnostics": diagnostics,
    "analyses": analyses,
    "claims": claims,
    "data sets": data_sets,
    "search": search,
    "scale hour": hour,
    "runs on a GPU": gpu_runs,
    "GPU and CPU": gpu_and_cpu,
    "parity on a GPU": gpu_parity,
    "parts of a step on a GPU": gpu_parts,
    **{kind: partial(listed, kind) for kind in ("attacks", "recipes", "scales")},
    **{f"metrics of {name}": partial(metrics, name) for name in DIAGNOSTICS},
}


def _knobs(cls: Any) -> Rows:
    for field in fields(cls):
        if not field.metadata:  # method_params: the other table
            continue
        description, low, high, choices = (
            field.metadata[key] for key in ("about", "low", "high", "choices")
        )
        span = ", ".join(map(_code, choices))
        if low is not None:
            span = f"at least {low:g}" if high is None else f"{low:g} to {high:g}"
        default = _default(field.default)
        yield {
            "name": _code(field.name),
            "default": default,
            "range": span,
            "what": description,
        }


def _default(value: object) -> str:
    levels = 255 * value if isinstance(value, float) else 0
    if 0 < levels < 255 and levels == round(levels):
        return f"{levels:.0f}/255"
    return json.dumps(value).strip('[]"') or "empty"


def _typed(value: Any) -> str:
    """Return a value as `--set` takes it, of fractions four digits."""
    if isinstance(value, tuple):
        return ",".join(map(_typed, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value).lower()


def _code(text: object) -> str:
    return f"`{text}`"


def _markdown(rows: Rows) -> str:
    table = list(rows)
    if not table:
        return "No numbers, only samples.\n"
    lines = [list(table[0]), ["---"] * len(table[0]), *(row.values() for row in table)]
    cells = ([str(cell).replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def main() -> None:
    """Write every document whose tables have changed."""
    for path in sorted(DOCS.glob("*.md")):
        text = path.read_text()
        if (updated := filled(text)) != text:
            path.write_text(updated)
            print(f"{path.name}: tables made anew")


if __name__ == "__main__":
    main()
