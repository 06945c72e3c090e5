"""A long run is no dearer at its end: memory and open files.

PYTHONPATH=tests python tests/abuse/flat.py 300
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from forked_command import ForkedCommand

from rofit.store.files import json_lines

WORDS = ("train", "--scale", "smoke", "--quiet", "--device", "cpu")
FEW = ("--set", "train_size=64", "--set", "val_size=16", "--set", "test_size=16")


class Use(NamedTuple):
    """What the process of a run holds after so many epochs."""

    epoch: int
    mebibytes: float
    files: int


def flat(epochs: int, seed: int = 0) -> list[str]:
    """Train; return what has grown from the second third of the epochs to the last.

    The least memory of each by more than 2 %, or the fewest open files.
    """
    with tempfile.TemporaryDirectory() as folder:
        words = (*WORDS, *FEW, "--set", f"epochs={epochs}", "--set", f"seed={seed}")
        command = ForkedCommand(Path(folder), *words)
        uses = _watch(command, Path(folder))
        code, said = command.returncode, command.errors.read_text()
        command.end()
        if code:
            return [f"exit code {code}: {said[-500:]}"]
    before = [use for use in uses if epochs / 3 <= use.epoch < 2 * epochs / 3]
    after = [use for use in uses if use.epoch >= 2 * epochs / 3]
    failures = []
    for name, most in (("mebibytes", 1.02), ("files", 1)):
        least = [min(getattr(use, name) for use in part) for part in (before, after)]
        print(f"{name}: {least[0]}, then {least[1]}", file=sys.stderr)
        if least[1] > most * least[0]:
            failures.append(f"{name} grow from {least[0]} to {least[1]}")
    return failures


def _watch(command: ForkedCommand, home: Path) -> list[Use]:
    """Return what the process holds, looked at until it ends."""
    process = Path("/proc", str(command.process.pid))
    uses = []
    while command.returncode is None:
        command.process.join(timeout=0.2)
        try:
            pages = int((process / "statm").read_text().split()[1])
            files = len(os.listdir(process / "fd"))
        except (OSError, IndexError):  # it has ended
            break
        (log,) = [*home.glob("runs/*/digests.jsonl")] or [None]
        epoch = json_lines(log)[0][-1].get("epoch", 0) if log else 0
        mebibytes = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
        uses.append(Use(epoch, round(mebibytes, 1), files))
    command.process.join()
    return uses


if __name__ == "__main__":
    failed = flat(int(sys.argv[1]))
    print(*failed, f"{sys.argv[1]} epochs, {len(failed)} failures", sep="\n")
    sys.exit(bool(failed))
