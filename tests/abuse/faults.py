"""Faults of the machine: commands that run into them go on to the same bits after.

PYTHONPATH=tests python tests/abuse/faults.py 100 1
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from forked_command import ForkedCommand
from kills import difference, finished

METHOD = "pgd_at"
WORDS = ("train", "--scale", "smoke", "--quiet", "--method", METHOD, "--device", "cpu")
LONGEST = 600  # seconds; it takes 5
OVERRIDE = 1  # the capability of root to write anywhere


def little_memory(rng: random.Random) -> Callable[[], None]:
    """Return what takes all but some memory from a process."""
    return partial(_limit_memory, rng.randrange(200 << 20))


def small_files(rng: random.Random) -> Callable[[], None]:
    """Return what lets a process write no large file."""
    return partial(_limit, "RLIMIT_FSIZE", rng.randrange(200_000))


def few_open_files(rng: random.Random) -> Callable[[], None]:
    """Return what lets a process open few files, or none more."""
    return partial(_limit, "RLIMIT_NOFILE", rng.randrange(3, 12))


def clock_goes_back(rng: random.Random) -> Callable[[], None]:
    """Return what sets the clock back by up to a day whenever it is read."""
    return partial(_set_back, rng.randrange(86_400))


def forbidden_folder(rng: random.Random) -> Callable[[], None]:
    """Return what makes root a user who may not write where nobody may."""
    return _without_override


def full_disk(rng: random.Random) -> Callable[[], None]:
    """Return nothing: the store lies on a small disk (`_small_disk`)."""
    return int


FAULTS = {
    fault.__name__.replace("_", " "): fault
    for fault in (
        little_memory,
        small_files,
        few_open_files,
        clock_goes_back,
        forbidden_folder,
        full_disk,
    )
}
FOR_ROOT = ("full disk",)


def faults(n: int, seed: int, names: tuple[str, ...] = ()) -> list[str]:
    """Run into faults *n* times; return a line for everything else than promised.

    Of all kinds in turn where no *names* are given; those that only root can bring
    about are left out aloud for others.
    """
    rng, failures = random.Random(seed), []
    kinds = list(names or FAULTS)
    if os.geteuid():
        print("left out without root:", *FOR_ROOT, file=sys.stderr)
        kinds = [kind for kind in kinds if kind not in FOR_ROOT]
    with tempfile.TemporaryDirectory() as folder:
        (whole,) = finished(Path(folder), *WORDS)
        for turn in range(n):
            kind = kinds[turn % len(kinds)]
            with _store(kind, rng) as home:
                wrong = _ends_badly(home, FAULTS[kind](rng))
                if kind == "full disk":
                    subprocess.run(
                        ["mount", "-o", "remount,size=64m", home], check=True
                    )
                os.chmod(home, 0o700)
                (again,) = finished(home, *WORDS)
                wrong += difference(whole, again)
            failures += [f"{kind}: {what}" for what in wrong]
    return failures


@contextmanager
def _store(kind: str, rng: random.Random) -> Iterator[Path]:
    """Make a folder for the store, on a disk of its own where it is to be full."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        home.mkdir()
        if kind == "forbidden folder":
            os.chmod(home, 0o500)
        if kind != "full disk":
            yield home
            return
        size = f"size={rng.randrange(8, 160) << 12}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", home], check=True)
        try:
            yield home
        finally:
            subprocess.run(["umount", home], check=True)


def _ends_badly(home: Path, before: Callable[[], None]) -> list[str]:
    """Run the command with a fault; return what is wrong with how it ends.

    Right is success, one line and exit code 1 or 2, or the end by a signal: what a
    library makes of too little memory is not ours, and no more than a kill.
    """
    command = ForkedCommand(home, *WORDS, before=before)
    command.process.join(LONGEST)
    code, said = command.returncode, command.errors.read_text()
    command.end()
    if code is None:
        return [f"did not end within {LONGEST} seconds: {said[-500:]}"]
    if code == 127 and "thread-local data: ABORT" in said:  # the C library's own end
        return []
    if code <= 0 or (code in (1, 2) and "Traceback" not in said):
        lines = [line for line in said.splitlines() if line.startswith("rofit: ")]
        if code <= 0 or len(lines) == 1:
            return []
    return [f"exit code {code}: {said[-500:]}"]


def _limit_memory(more: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _limit("RLIMIT_AS", pages * os.sysconf("SC_PAGE_SIZE") + more)


def _limit(name: str, value: int) -> None:
    import resource

    kind = getattr(resource, name)
    resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))


def _without_override() -> None:
    """Drop a capability of this process, as capset(2) does."""
    import ctypes

    libc = ctypes.CDLL(None)
    head = (ctypes.c_uint32 * 2)(0x20080522, 0)  # the version of 64 bits, this process
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable, twice
    assert libc.capget(head, sets) == 0
    sets[0] &= ~(1 << OVERRIDE)
    assert libc.capset(head, sets) == 0


def _set_back(seconds: int) -> None:
    begun = time.time()
    steps = iter(range(10**9))
    time.time = lambda: begun - seconds * next(steps)


if __name__ == "__main__":
    failed = faults(int(sys.argv[1]), int(sys.argv[2]), tuple(sys.argv[3:]))
    print(*failed, f"{sys.argv[1]} faults, {len(failed)} failures", sep="\n")
    sys.exit(bool(failed))
