"""`make abuse`: an hour of what rofit survives (docs/reliability.md, "Runs").

    PYTHONPATH=tests python tests/abuse/abuse.py [SHARE]

Prints a row a kind of abuse, with its trials and failures, SHARE of the usual number;
exits with 1 if one failed.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from damage import make_store, trials
from faults import faults
from flat import flat
from fuzz_images import fuzz_with_little_memory
from fuzz_settings import fuzz as fuzz_settings
from kills import kills

SEED = 1


def _damage(n: int) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_store(root / "runs")
        done = trials(root / "runs", root / "work", n, SEED)
    wrong = [t for t in done if t.outcome not in ("harmless", "noticed")]
    return [f"{t.file}, {t.damage}: {t.outcome}" for t in wrong]


def _images(n: int) -> list[str]:
    failures = fuzz_with_little_memory(n, SEED)["failures"]
    assert isinstance(failures, list)
    return failures


KINDS: dict[str, tuple[str, int, Callable[[int], list[str]]]] = {
    "a killed command goes on to the same bits": (
        "kills.py", 1_000, lambda n: kills(n, SEED),
    ),
    "a fault of the machine ends a command as a kill does": (
        "faults.py", 300, lambda n: faults(n, SEED),
    ),
    "epochs of one run take no more and more memory": (
        "flat.py", 300, lambda n: flat(max(n, 30)),
    ),
    "damage to a file of a run is noticed": ("damage.py", 5_000, _damage),
    "bad settings are a sentence": (
        "fuzz_settings.py", 40_000, lambda n: fuzz_settings(n, SEED),
    ),
    "bad images are a sentence": ("fuzz_images.py", 10_000, _images),
}  # fmt: skip


def main(share: float) -> int:
    """Run all kinds; return the number of failures."""
    print("| promise | test | trials | failures |\n|---|---|---|---|", flush=True)
    failed = 0
    for promise, (file, usual, abuse) in KINDS.items():
        n = max(1, round(share * usual))
        failures = abuse(n)
        failed += len(failures)
        print(f"| {promise} | `{file}` | {n:,} | {len(failures)} |", flush=True)
        print(*failures[:20], sep="\n", file=sys.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(bool(main(float(sys.argv[1]) if len(sys.argv) > 1 else 1)))
