"""Trains every method at scale smoke on a device and on the CPU; compares all numbers.

    python .ci/gpu_equals_cpu.py cuda STORE OUT.json [JOBS]

STORE gets the runs, in one folder a device. OUT.json gets a row a metric: over all
methods, splits and attacks, how far the device's number lies from the CPU's, relative
to the CPU's (or to 0.001, if that is more). Roundings grow from step to step, so the
first epoch counts: it exits with 1 if a run failed or a median there is above 1e-5.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from rofit.methods import METHODS
from rofit.store.rows import load_logs

LIMIT = 1e-5
FLOOR = 1e-3


def train(method: str, device: str, store: Path) -> int:
    """Train it, again if another run's teacher was busy; return the exit code."""
    command = [sys.executable, "-m", "rofit", "train", "--method", method]
    command += ["--scale", "smoke", "--set", "epochs=4", "--device", device]
    command += ["--store", str(store / device), "--json"]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    for _ in range(3):
        code = subprocess.run(command, env=env, stdout=subprocess.DEVNULL).returncode
        if code != 2:
            break
    return code


def compared(device: pd.DataFrame, cpu: pd.DataFrame) -> Iterator[dict[str, object]]:
    """Yield a row a metric of two logs of the same runs.

    Raises:
        ValueError: one has a number that the other lacks.
    """
    rows = cpu.columns[: cpu.columns.get_loc("family_id")]  # after these, the run's
    keys = [key for key in rows if key != "value"]
    pairs = cpu.merge(device, "outer", on=keys, suffixes=("_cpu", ""), indicator=True)
    alone = pairs[pairs["_merge"] != "both"]
    if len(alone):
        raise ValueError(f"one device alone has {alone[keys].iloc[0].to_dict()}")
    off = (pairs["value"] - pairs["value_cpu"]).abs()
    pairs["off"] = off / pairs["value_cpu"].abs().clip(lower=FLOOR)
    for metric, rows in pairs.groupby("metric", observed=True):
        first = rows.loc[rows["epoch"] == rows["epoch"].min(), "off"]
        yield {
            "metric": metric,
            "methods": rows["run_id"].nunique(),
            "numbers": len(rows),
            "first epoch, median": float(f"{first.median():.2g}"),
            "first epoch, largest": float(f"{first.max():.2g}"),
            "all epochs, median": float(f"{rows['off'].median():.2g}"),
        }


def main(device: str, store: Path, out: Path, jobs: int) -> int:
    """Train, compare, write; return the exit code."""
    cases = [(method, where) for where in (device, "cpu") for method in METHODS]
    with ThreadPoolExecutor(jobs) as pool:
        codes = list(pool.map(lambda case: train(*case, store), cases))
    failed = [" on ".join(c) for c, code in zip(cases, codes, strict=True) if code]
    if failed:
        print("failed:", ", ".join(failed), file=sys.stderr)
        return 1
    rows = list(compared(load_logs(store / device), load_logs(store / "cpu")))
    out.write_text(json.dumps({"methods": rows}, indent=1) + "\n")
    off = [row["metric"] for row in rows if not row["first epoch, median"] <= LIMIT]
    if off:
        print("not the CPU's:", ", ".join(map(str, off)), file=sys.stderr)
    return bool(off)


if __name__ == "__main__":
    jobs = int(sys.argv[4]) if len(sys.argv) > 4 else os.cpu_count() or 1
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), jobs))
