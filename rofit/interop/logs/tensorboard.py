"""TensorBoard's event files, read by TensorBoard itself (``rofit[tensorboard]``)."""

from pathlib import Path

from rofit.errors import UserError
from rofit.interop.logs.columns import MOST_COLUMNS, read_columns
from rofit.interop.logs.foreign import ForeignLog

LAYOUT = "tensorboard"
_MARK = "tfevents"


def event_files(path: Path) -> list[Path]:
    """Return the event files that *path* is, or holds as a folder."""
    if path.is_dir():
        return sorted(f for f in path.iterdir() if _MARK in f.name and f.is_file())
    return [path] if _MARK in path.name else []


def read_events(path: Path, columns: dict[str, str]) -> ForeignLog:
    """Return the log of an event file, or of a folder's: a scalar's tag is a column.

    Raises:
        UserError: TensorBoard is not installed, the files hold no scalars or too many,
            or none that is understood.
    """
    try:
        from tensorboard.backend.event_processing import event_accumulator as events
        from tensorboard.util import tensor_util
    except ImportError:
        raise UserError(
            "event files need TensorBoard: pip install 'rofit[tensorboard]'"
        ) from None
    sizes = {events.SCALARS: 0, events.TENSORS: 0, events.IMAGES: 1}
    reader = events.EventAccumulator(str(path), sizes)
    reader.Reload()
    series = {
        tag: {e.step: float(e.value) for e in reader.Scalars(tag)}
        for tag in reader.Tags()["scalars"]
    }
    for tag in reader.Tags()["tensors"]:  # scalars of newer writers
        arrays = {
            e.step: tensor_util.make_ndarray(e.tensor_proto)
            for e in reader.Tensors(tag)
        }
        if all(a.size == 1 and a.dtype.kind in "fiu" for a in arrays.values()):
            series[tag] = {step: float(a.reshape(())) for step, a in arrays.items()}
    if not series:
        raise UserError("it has no scalars")
    if len(series) > MOST_COLUMNS:
        raise UserError(f"expected at most {MOST_COLUMNS:,} tags, got {len(series):,}")
    steps = sorted({step for values in series.values() for step in values})
    table: dict[str, list[float | None]] = {"Step": [float(step) for step in steps]}
    for tag, values in series.items():
        table[tag] = [values.get(step) for step in steps]
    return read_columns(table, columns, own="tags")
