"""SIGKILL at random moments, over all methods: the same bits as without, sound stores.

PYTHONPATH=tests python tests/abuse/kills.py 1000 1
"""

import random
import sys
import tempfile
import time
from pathlib import Path

from forked_command import ForkedCommand
from training_helpers import last_state, same

from rofit.methods import METHODS
from rofit.running.doctor import examine
from rofit.store.runs import RunFolder, RunStore

EPOCHS = 10
KILLS_A_RUN = 12
WORDS = ("train", "--scale", "smoke", "--watch", "gradient_norm", "--quiet")
SETTINGS = ("--set", f"epochs={EPOCHS}", "--set", "batch_size=16", "--device", "cpu")


def kills(n: int, seed: int) -> list[str]:
    """Kill commands *n* times; return a line for everything else than promised."""
    rng, failures, left, turn = random.Random(seed), [], n, seed
    while left > 0:
        method = [*METHODS][turn % len(METHODS)]
        turn += 1
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            killed = min(left, KILLS_A_RUN)
            failures += [f"{method}: {f}" for f in _one_run(root, method, killed, rng)]
            left -= killed
    return failures


def _one_run(root: Path, method: str, n: int, rng: random.Random) -> list[str]:
    """Train the method whole, and killed *n* times; return what differs."""
    failures = []
    begun = time.monotonic()
    whole = finished(root / "whole", *WORDS, *SETTINGS, "--method", method)
    seconds = time.monotonic() - begun
    for _ in range(n):
        command = ForkedCommand(root / "killed", *WORDS, *SETTINGS, "--method", method)
        command.process.join(timeout=rng.uniform(0.05, 1.1) * seconds / 2)
        command.end()
        failures += _unsound(root / "killed")
    killed = finished(root / "killed", *WORDS, *SETTINGS, "--method", method)
    failures += _unsound(root / "killed")
    for one, other in zip(whole, killed, strict=True):
        failures += difference(one, other)
    return failures


def difference(one: RunFolder, other: RunFolder) -> list[str]:
    """Return a line for each part of two runs that is not the same."""
    failures, name = [], one.path.name
    for file in ("epochs.jsonl", "done.json"):
        if (one.path / file).read_bytes() != (other.path / file).read_bytes():
            failures.append(f"{name}: {file} differs")
    try:
        same(last_state(one), last_state(other))
    except AssertionError as error:
        failures.append(f"{name}: last.pt differs at {str(error)[:80]}")
    return failures


def finished(home: Path, *words: str) -> list[RunFolder]:
    """Run a command to its end; return the store's runs, teachers among them."""
    command = ForkedCommand(home, *words)
    command.process.join()
    code, said = command.returncode, command.errors.read_text()
    command.end()
    if code:
        raise RuntimeError(f"exit code {code}: {said[-500:]}")
    return RunStore(home / "runs").runs()


def _unsound(root: Path) -> list[str]:
    if not (root / "runs").exists():
        return []
    findings = examine(RunStore(root / "runs"))
    return [f"{f.file}: {f.what}" for f in findings if "left over" not in f.what]


if __name__ == "__main__":
    failed = kills(int(sys.argv[1]), int(sys.argv[2]))
    print(*failed, f"{sys.argv[1]} kills, {len(failed)} failures", sep="\n")
    sys.exit(bool(failed))
