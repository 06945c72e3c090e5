"""Parquet files are read without a thread more, which little memory may not give."""

import subprocess
import sys

import pandas as pd
import pyarrow as pa
import pytest

from rofit.store.parquet import read_parquet

COUNTED = """
import os, sys
from pathlib import Path
from rofit.store.parquet import read_parquet
threads = lambda: len(os.listdir("/proc/self/task"))
before = threads()
table = read_parquet(Path(sys.argv[1])).to_pandas(use_threads=False)
print(threads() - before, len(table))
"""


@pytest.fixture
def file(tmp_path):
    frame = pd.DataFrame({"a": range(5000), "b": pd.Categorical(["x", "y"] * 2500)})
    frame.to_parquet(tmp_path / "a.parquet", index=False)
    return tmp_path / "a.parquet"


@pytest.mark.skipif(sys.platform != "linux", reason="NOT RUN: threads are not counted")
def test_no_thread_is_begun(file):
    counted = subprocess.run(
        [sys.executable, "-c", COUNTED, file], capture_output=True, text=True
    )
    assert counted.stdout.split() == ["0", "5000"], counted.stderr


def test_table_is_the_one_that_pandas_reads(file):
    expected = pd.read_parquet(file)
    pd.testing.assert_frame_equal(read_parquet(file).to_pandas(), expected)


def test_too_little_memory_is_no_damage(file, monkeypatch):
    def read(*_, **__):
        raise pa.ArrowMemoryError("malloc of size 64 failed")

    monkeypatch.setattr("pyarrow.parquet.ParquetFile.read", read)
    with pytest.raises(MemoryError, match="malloc of size 64") as raised:
        read_parquet(file)
    assert not isinstance(raised.value, pa.ArrowException)
