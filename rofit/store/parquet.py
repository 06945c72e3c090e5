"""Parquet files are read in the thread that asks.

Where there is too little memory for a thread more, arrow's pool of threads waits for it
for ever. One file is not faster with several.
"""

from pathlib import Path

import pyarrow as pa
from pyarrow.parquet import ParquetFile


def read_parquet(path: Path) -> pa.Table:
    """Return the table in a file.

    Raises:
        OSError, pa.ArrowException: it is missing or damaged.
        MemoryError: there is too little memory for it, which says nothing about it.
    """
    try:
        with ParquetFile(path, pre_buffer=False) as file:
            return file.read(use_threads=False)
    except pa.ArrowMemoryError as error:
        raise MemoryError(str(error)) from None
