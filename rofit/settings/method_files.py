"""Methods of your own: the files that the environment variable ROFIT_METHODS names.

A variable and no flag, so that every command and each of its processes has them:
training, jobs of a cluster, and the digests that say whether code has changed.
"""

import os
from pathlib import Path

from rofit.errors import UserError, quoted

VARIABLE = "ROFIT_METHODS"


def method_files() -> dict[str, Path]:
    """Return method -> file of the methods in ``$ROFIT_METHODS``, in order.

    Between files stands ``:`` (``;`` on Windows). A method has the name of its file.

    Raises:
        UserError: a name that no module can have, or two files of one.
    """
    files: dict[str, Path] = {}
    for text in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        file = Path(os.path.expanduser(text)).absolute()
        if file.suffix != ".py" or not file.stem.isidentifier():
            raise UserError(
                f"{VARIABLE} expects files of Python as focal_at.py, got {quoted(text)}"
            )
        if files.setdefault(file.stem, file) != file:
            raise UserError(f"{VARIABLE} names two files of a method {file.stem}")
    return files
