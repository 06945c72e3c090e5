"""Methods of your own are imported as if their files lay beside those of rofit."""

import sys
from collections.abc import Container
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from rofit.errors import UserError
from rofit.settings.method_files import VARIABLE, method_files

_PARTS = ("BRINGS", "Params", "build")


def own_methods(taken: Container[str]) -> dict[str, ModuleType]:
    """Return the methods whose files ``$ROFIT_METHODS`` names. Runs their code.

    Args:
        taken: names of the modules of rofit.methods.

    Raises:
        UserError: a file is not there, has the name of one of rofit's, cannot be
            imported, or lacks a part of a method.
    """
    methods = {}
    for name, file in method_files().items():
        if name in taken:
            raise UserError(
                f"{VARIABLE}: rofit has a module {name} already; rename {file}"
            )
        methods[name] = _imported(f"rofit.methods.{name}", file)
        lacking = [part for part in _PARTS if not hasattr(methods[name], part)]
        if lacking:
            raise UserError(
                f"{VARIABLE}: a method has {', '.join(_PARTS)}; {file} lacks "
                f"{', '.join(lacking)}"
            )
    return methods


def _imported(name: str, file: Path) -> ModuleType:
    if not file.is_file():
        raise UserError(f"{VARIABLE} names {file}, and no file is there")
    spec = spec_from_file_location(name, file)
    assert spec and spec.loader
    module = sys.modules[name] = module_from_spec(spec)  # where dataclasses look it up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UserError(
            f"{VARIABLE}: {file} cannot be imported ({type(error).__name__}: {error})"
        ) from error
    return module
