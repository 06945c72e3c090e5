"""A store of runs in one file, zip or tar, as shutil.make_archive and export make it.

It is read through a folder of the system's for temporary files, which is gone
afterwards: nothing is written where the archive lies. The names of what it holds lead
nowhere else, and its sizes are bounded, as those of archives of images
(`rofit.data.archives`).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rofit.errors import UserError
from rofit.names import check_name
from rofit.writing import writing


@contextmanager
def opened(store: str | Path) -> Iterator[Path]:
    """Give the folder of a store: *store* itself, or what the archive *store* holds.

    Raises:
        UserError: *store* is a file, and no archive of a store.
    """
    path = Path(store)
    if not os.path.isfile(path):  # a name too long is none either
        yield path
        return
    with TemporaryDirectory(prefix="rofit-") as temporary:
        folder = Path(temporary, path.name)  # which sentences about its files name
        unpack(path, folder)
        yield folder


def unpack(archive: Path, target: Path) -> None:
    """Write the runs of an archive into the new folder *target*.

    Run folders may lie at the archive's top or in a folder there.

    Raises:
        UserError: it is damaged, no archive, too large, has no runs, or names that lead
            elsewhere.
        NotWritten: the disk does not take it.
    """
    from rofit.data.archives import read_archive

    try:
        files, _ = read_archive(archive)
    except UserError as error:  # what to do about images is left away
        reason = str(error).partition("; ")[0]
        raise UserError(f"{archive} is no store of runs: {reason}") from None
    except OSError as error:
        raise UserError(f"{archive} cannot be read ({error.strerror})") from None
    specs = [parts for parts in files if len(parts) > 1 and parts[-1] == "spec.json"]
    if not specs:
        raise UserError(
            f"no runs in {archive}; pack the folder of a store, run folders at its top"
        )
    for part in {part for parts in files for part in parts}:
        check_name(f"a file of {archive}", part, longest=255)
    top = min(specs, key=len)[:-2]
    for parts, data in files.items():
        if parts[: len(top)] == top:
            file = target.joinpath(*parts[len(top) :])
            with writing(file):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
