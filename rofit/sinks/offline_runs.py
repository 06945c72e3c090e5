"""Which epochs the files of an offline W&B run have.

W&B has no reader for them in Python. A file is a log in LevelDB's format: a head of 7
bytes, then blocks of 32 KiB with pieces of records, each after checksum (4 bytes),
length (2) and kind (1: whole, first, middle, last). A record is a protobuf message.

Source: LevelDB, "log format" (github.com/google/leveldb); wandb_internal_pb2.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

_BLOCK, _HEAD = 32768, 7
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def last_step(folder: Path, run_id: str) -> int:
    """Return the last step of a run in W&B's folder, 0 if there is none.

    Of all parts in which it was written; a part that a kill has torn counts as far as
    it is whole.
    """
    from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]

    files = folder.glob(f"offline-run-*-{run_id}/run-{run_id}.wandb")
    records = (Record.FromString(data) for file in files for data in read_records(file))
    steps = (r.history.step.num for r in records if r.HasField("history"))
    return max(steps, default=0)


def read_records(path: Path) -> Iterator[bytes]:
    """Yield the whole records of a file, up to where it was torn."""
    data = path.read_bytes()
    position, record = _HEAD, b""
    while position + _HEAD <= len(data):
        if _BLOCK - position % _BLOCK < _HEAD:  # no room for a piece: zeros
            position += _BLOCK - position % _BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", data, position)
        end = position + _HEAD + length
        if kind not in (_WHOLE, _FIRST, _MIDDLE, _LAST) or end > len(data):
            return
        piece = data[position + _HEAD : end]
        record = piece if kind in (_WHOLE, _FIRST) else record + piece
        if kind in (_WHOLE, _LAST):
            yield record
        position = end
