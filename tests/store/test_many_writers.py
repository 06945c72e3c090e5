"""Fifty processes write one store at once: no row is lost, no run has two writers."""

import subprocess
import sys

import pytest
from filelock import FileLock

from rofit.errors import UserError
from rofit.store.files import waiting_for
from rofit.store.rows import load_logs

WRITERS, SHARED, EPOCHS = 50, 10, 3
# Forks the writers, which begin together; the last SHARED of them are of one run and
# end with 7 where another has it, or has made it.
CODE = """
import os, sys
from pathlib import Path
from rofit.errors import UserError
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunStore

store, writers, shared, epochs = sys.argv[1], *map(int, sys.argv[2:])

def write(number):
    spec = RunSpec(epochs=epochs, seed=min(number, writers - shared))
    folder = RunStore(Path(store)).folder(spec.run_id)
    about = {"split": "test", "attack": "pgd20", "metric": "accuracy", "n": 64}
    try:
        with folder.opened(spec.as_dict()):
            if folder.state != "started":
                return 7
            for epoch in range(1, epochs + 1):
                folder.append([{"epoch": epoch, "value": epoch / 10} | about])
            folder.finish({"epochs": epochs})
    except UserError as error:
        return 7 if "trained by another process" in str(error) else 1
    return 0

started, start = os.pipe()
for number in range(writers):
    if not os.fork():
        os.close(start)
        os.read(started, 1)  # until the parent closes it
        try:
            code = write(number)
        except BaseException:
            code = 1
        os._exit(code)
os.close(start)
codes = [os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(writers)]
print(*(codes.count(code) for code in (0, 7, 1)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_fifty_writers_lose_no_row_and_share_no_run(tmp_path):
    numbers = map(str, (WRITERS, SHARED, EPOCHS))
    words = [sys.executable, "-c", CODE, str(tmp_path), *numbers]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    runs = WRITERS - SHARED + 1
    assert done.stdout.split() == [str(runs), str(SHARED - 1), "0"], done.stderr
    logs = load_logs(tmp_path)
    assert len(logs) == runs * EPOCHS and logs["run_id"].nunique() == runs
    assert set(logs["state"]) == {"done"}
    values = logs.groupby("epoch")["value"].unique().map(list).to_dict()
    assert values == {epoch: [epoch / 10] for epoch in range(1, EPOCHS + 1)}


def test_who_waits_for_a_lock_that_nobody_frees_ends_with_a_sentence(tmp_path):
    lock = tmp_path / "lock"
    with FileLock(lock):
        with pytest.raises(UserError, match="lock has been locked for 0.001 minutes"):
            with waiting_for(lock, 0.06):
                pass
    with waiting_for(lock, 0.06):
        assert lock.exists()
