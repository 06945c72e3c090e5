"""A store of many long runs that were never trained, and what commands cost on it.

    python tests/store/large_store.py make FOLDER [--runs 2000] [--epochs 200]
    python tests/store/large_store.py measure FOLDER

``measure`` prints CPU seconds and peak memory of each command, as the system has them
of its process: a machine that is busy with other things changes neither.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rofit.settings.spec import RunSpec
from rofit.store.rows import keep_columns
from rofit.store.runs import RunStore

# split, attack and how it was measured: the rows that every training writes.
SERIES = (
    ("train", "pgd10", "step"),
    ("val", "none", "epoch_end"),
    ("test", "none", "epoch_end"),
    ("train", "none", "epoch_end"),
    ("val", "pgd20", "epoch_end"),
    ("test", "pgd20", "epoch_end"),
)
CODE = {
    "load_logs": "from rofit import load_logs; print(load_logs('runs').shape)",
    "best_last_gap": "from rofit import best_last_gap, load_logs\n"
    "print(best_last_gap(load_logs('runs')).shape)",
}
LEFT_OPEN = 10  # one run of so many is not done


def rows(number: int, epochs: int) -> list[dict[str, object]]:
    """Return the rows of a run: curves that rise, and in training ever further."""
    made: list[dict[str, object]] = []
    for epoch in range(1, epochs + 1):
        for place, (split, attack, measured) in enumerate(SERIES):
            risen = 1 - math.exp(-(epoch + number % 17) / (20 + 3 * place))
            about = {"epoch": epoch, "split": split, "attack": attack, "n": 1000}
            about |= {"measured": measured}
            made.append(about | {"metric": "accuracy", "value": 0.6 * risen})
            made.append(about | {"metric": "loss", "value": 2.3 - 1.7 * risen})
    return made


def make(root: Path, runs: int, epochs: int) -> None:
    """Write the store, as trainings do, but for waiting for the disk."""
    os.fsync = lambda handle: None
    store = RunStore(root / "runs")
    for number in range(runs):
        spec = RunSpec(
            method=("pgd_at", "sgls", "trades", "mart")[number % 4],
            epochs=epochs,
            seed=number // 4,
        )
        folder = store.folder(spec.run_id)
        ids = {"run_id": spec.run_id, "family_id": spec.family_id}
        with folder.opened(ids | spec.as_dict()):
            environment = {"versions": {"python": "3.11"}, "device": "cpu"}
            folder.event("start", diagnostics=[], environment=environment)
            done = number % LEFT_OPEN > 0
            folder.append(rows(number, epochs if done else epochs // 2))
            if done:
                folder.finish({"epochs": epochs, "best": {"score": 0.5, "epoch": 1}})
                keep_columns(folder)


def measure(root: Path) -> None:
    """Print what each command costs on the store."""
    runs = [folder.path.name for folder in RunStore(root / "runs").runs()]
    rofit = [sys.executable, "-m", "rofit"]
    commands = {
        "status": [*rofit, "status", "--scale", "smoke"],
        "show": [*rofit, "show", runs[0]],
        "compare, 2 runs": [*rofit, "compare", *runs[1:3]],
        "compare, 50 runs": [*rofit, "compare", *runs[:50]],
        "doctor": [*rofit, "doctor"],
    } | {name: [sys.executable, "-c", code] for name, code in CODE.items()}
    for name, words in commands.items():
        seconds, megabytes = cost(words, root)
        print(f"{name:18} {seconds:8.1f} CPU s {megabytes:8.0f} MB", flush=True)


def cost(words: list[str], root: Path) -> tuple[float, float]:
    """Return CPU seconds and peak memory in MB of a command, on one thread."""
    environ = os.environ | {"ROFIT_HOME": str(root), "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(words, cwd=root, env=environ, stdout=output)
        _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{words} ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    """Make a store, or measure the commands on it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("make", "measure"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=200)
    options = parser.parse_args()
    if options.what == "make":
        make(options.folder, options.runs, options.epochs)
    else:
        measure(options.folder)


if __name__ == "__main__":
    main()
