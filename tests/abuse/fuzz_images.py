"""Fuzz of ``--data``: a result or one sentence, whatever the archive or folder is.

``python tests/abuse/fuzz_images.py N [SEED]`` in a process with little memory.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from damaged_images import DAMAGED, GOOD, PACKERS, Hostile, damaged, pick
from hostile_images import HOSTILE, closed

from rofit.data.cache import read_cached
from rofit.data.folders import open_all, read_class_folders
from rofit.errors import UserError

MEMORY = 1_000_000_000  # bytes, beside what the process has at its start
PATIENCE = 60  # seconds a case, on a machine that others use
NOBODY = 65534


class Hang(BaseException):
    """Of no kind that a reader of archives could catch."""


def fuzz(n: int, seed: int) -> list[str]:
    """Return a line for every case of n that ended otherwise than it must."""
    good = _digest_of_good()
    return [
        f"case {i} of seed {seed}: {failure}"
        for i in range(n)
        if (failure := _case(np.random.default_rng([seed, i]), i, good))
    ]


def fuzz_with_little_memory(n: int, seed: int) -> dict[str, object]:
    """Return failures and counts of outcomes of `fuzz` in a process of its own."""
    words = [sys.executable, __file__, str(n), str(seed)]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        return {"failures": [f"exit {done.returncode}: {done.stderr[-2000:]}"]}
    return json.loads(done.stdout.splitlines()[-1])


OUTCOMES: Counter[str] = Counter()


def _case(rng: np.random.Generator, i: int, good: str) -> str:
    makers = [*DAMAGED, *DAMAGED, *HOSTILE, None, None, None]
    make = makers[i % len(makers)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if make is None:
            return _damaged_cache(folder, rng)
        source = make(folder, rng)
        with _as_nobody(folder) if make is closed else _as_before():
            return (
                f"{make.__name__}: {text}"
                if (text := _end(source, folder, good))
                else ""
            )


def _end(source: Hostile, folder: Path, good: str) -> str:
    """Return what is wrong with how the reading of a source ends; empty if nothing."""
    said: list[str] = []
    try:
        with _patience():
            _, copies = open_all(
                [str(source.path)], cache=folder / "c", say=said.append
            )
    except UserError as error:
        OUTCOMES["refused"] += 1
        if not _is_one_line(str(error)) or source.must == "result":
            return f"refused: {str(error)!r}"
        return ""
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    OUTCOMES["read"] += 1
    if source.must == "refused" or not all(map(_is_one_line, said)):
        return f"read, {source.path.name}"
    if source.must == "same" and copies[0].digest != good:
        return f"other images, {source.path.name}"
    return ""


def _damaged_cache(folder: Path, rng: np.random.Generator) -> str:
    """A damaged cache is noticed and made again, or what is in it is as it was."""
    path, said = PACKERS["pets.zip"](folder / "pets.zip", GOOD), []
    made = read_class_folders(path, cache=folder)
    (file,) = folder.glob("*.rofit.npz")
    whole = file.read_bytes()
    if rng.random() < 0.1:
        other = PACKERS["pets"](folder / "more", GOOD)
        read_class_folders(other, cache=folder)
        file.write_bytes(next(folder.glob("more-*.npz")).read_bytes())
    else:
        data = whole
        for _ in range(pick(rng, [1, 1, 1, 2, 5])):
            data = damaged(data, rng) if data else data
        file.write_bytes(data)
    try:
        with _patience():
            got = read_class_folders(path, cache=folder, say=said.append)
            read_cached(file)
    except BaseException as error:
        return f"damaged cache: {type(error).__name__}: {error}"
    OUTCOMES["cache made again" if said else "cache as it was"] += 1
    names = [
        (data.name, data.shown_as, data.classes, data.digest) for data in (got, made)
    ]
    if names[0] != names[1] or len(said) > 1 or not all(map(_is_one_line, said)):
        return f"damaged cache: {names}, {said}"
    return (
        ""
        if not said or file.read_bytes() == whole
        else "damaged cache: not made again"
    )


def _digest_of_good() -> str:
    with tempfile.TemporaryDirectory() as name:
        path = PACKERS["pets.zip"](Path(name, "pets.zip"), GOOD)
        return read_class_folders(path, cache=Path(name)).digest


def _is_one_line(sentence: str) -> bool:
    return sentence.isprintable() and len(sentence) < 1500


@contextmanager
def _patience() -> Iterator[None]:
    def hang(number, frame):
        raise Hang(f"longer than {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _as_before() -> Iterator[None]:
    yield


@contextmanager
def _as_nobody(folder: Path) -> Iterator[None]:
    """Be another than the administrator, who may read everything."""
    if os.geteuid():
        yield
        return
    os.chown(folder, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def _limit_memory() -> None:
    status = Path("/proc/self/status")  # of Linux; elsewhere there is no limit
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith("VmSize:"):
            most = int(line.split()[1]) * 1024 + MEMORY
            resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    _limit_memory()
    failures = fuzz(int(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 0)
    print(json.dumps({"failures": failures, "outcomes": OUTCOMES}))
