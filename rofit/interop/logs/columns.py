"""From columns of numbers, whatever file they are from, to rows by epoch."""

import math
from collections.abc import Mapping, Sequence

from rofit.errors import UserError, quoted
from rofit.interop.logs.foreign import Epochs, ForeignLog, measurement
from rofit.interop.logs.tags import EPOCH, Tag, parse_tag

MOST_COLUMNS = 1000
_EPOCHS = ("epoch", "Epoch")  # columns that are epochs without being named
_STEPS = ("Step", "step", "_step")  # and those that number the lines
_Numbers = Sequence[float | None]  # None where a line has no number there


def read_columns(
    table: Mapping[str, _Numbers], columns: dict[str, str], *, own: str
) -> ForeignLog:
    """Return the rows of the columns that are named, or that are tags themselves.

    Lines of one epoch are one: the last number of each column is the epoch's.

    Args:
        table: their name -> numbers, all of one length.
        columns: their name -> our tag; tags understood of themselves come on top.
        own: what they are called in messages: ``columns``, ``tags``.

    Raises:
        UserError: a name that is not there, no column that is understood, epochs that
            are no whole numbers.
    """
    for theirs in columns:
        if theirs not in table:
            raise UserError(
                f"there is no {own[:-1]} {quoted(theirs)}; there are {_listed(table)}"
            )
    own_names = {name: _without_run(name) for name in table}
    tags = {name: tag for name, text in own_names.items() if (tag := parse_tag(text))}
    tags |= {n: tag for n, ours in columns.items() if (tag := parse_tag(ours))}
    for name, ours in columns.items():  # what is named takes a tag's place
        tags = {k: t for k, t in tags.items() if k == name or str(t) != ours}
    _check_distinct(tags)
    if not tags:
        raise UserError(
            f"none of the {own} {_listed(table)} says what it is: name them with "
            "--columns test/pgd20/accuracy=NAME, and so on"
        )
    epochs = Epochs()
    numbers = _epoch_numbers(table, columns, epochs)
    shares = {name for name, tag in tags.items() if _per_cent(table[name], tag)}
    if shares:
        epochs.remarks.append(f"per cent: {', '.join(sorted(shares))}")
    present = [number for number in numbers if number is not None]
    if any(a > b for a, b in zip(present, present[1:], strict=False)):
        epochs.remarks.append("epochs go back: of each, the last line is taken")
    values: dict[int, dict[str, float]] = {}
    for name in tags:
        for epoch, value in zip(numbers, table[name], strict=True):
            if epoch is not None and value is not None:
                share = round(value / 100, 12) if name in shares else value
                values.setdefault(epoch, {})[name] = share
    for epoch, by_name in values.items():
        epochs.add(epoch, (_row(tags[name], v) for name, v in by_name.items()))
    return epochs.finished({})


def _row(tag: Tag, value: float) -> dict[str, object]:
    if not tag.attack:
        return {"split": tag.split, "metric": tag.metric, "value": value}
    measured = "step" if tag.split == "train" else "epoch_end"
    return measurement(tag.split, tag.attack, tag.metric, value, measured=measured)


def _per_cent(values: _Numbers, tag: Tag) -> bool:
    """Return whether a column is in per cent: an accuracy is no share above 1."""
    finite = [v for v in values if v is not None and math.isfinite(v)]
    if tag.metric != "accuracy" or not finite:
        return False
    if min(finite) < 0 or max(finite) > 100:
        raise UserError(
            f"{tag} must be fractions or per cent, got {min(finite):g} to "
            f"{max(finite):g}"
        )
    return max(finite) > 1


def _epoch_numbers(
    table: Mapping[str, _Numbers], columns: dict[str, str], epochs: Epochs
) -> list[int | None]:
    """Return each line's epoch, from 1; None where it has none."""
    named = [theirs for theirs, ours in columns.items() if ours == EPOCH]
    present = [*named, *(name for name in _EPOCHS if name in table)]
    if present:
        numbers = [_whole(present[0], value) for value in table[present[0]]]
        name = present[0]
    else:
        steps = next((name for name in _STEPS if name in table), "")
        length = len(next(iter(table.values())))
        lines = table[steps] if steps else list(range(1, length + 1))
        numbers = [_whole(steps, value) for value in lines]
        distinct = sorted({n for n in numbers if n is not None})
        first = distinct[0] if distinct else 1
        if distinct != list(range(first, first + len(distinct))) or first > 1:
            order = {n: position for position, n in enumerate(distinct, start=1)}
            numbers = [None if n is None else order[n] for n in numbers]
            epochs.remarks.append(
                f"{steps} is no count of epochs: epochs are lines in order (name one "
                "with --columns epoch=NAME)"
            )
        name = steps or "lines"
    if 0 in numbers:
        epochs.remarks.append(f"{name} from 0: 0 is taken as epoch 1")
        numbers = [None if n is None else n + 1 for n in numbers]
    return numbers


def _whole(name: str, value: float | None) -> int | None:
    if value is None:
        return None
    if not math.isfinite(value) or value != int(value) or value < 0:
        raise UserError(f"{name} must be whole numbers from 0 on, got {value:g}")
    return int(value)


def _without_run(name: str) -> str:
    """Return a column of a W&B export without the run's name that stands before it.

    Empty for its extremes (``__MIN``, ``__MAX``), which are no columns of their own.
    """
    return "" if name.endswith(("__MIN", "__MAX")) else name.rpartition(" - ")[2]


def _check_distinct(tags: dict[str, Tag]) -> None:
    by_tag: dict[Tag, str] = {}
    for name, tag in tags.items():
        if tag in by_tag:
            raise UserError(
                f"{quoted(by_tag[tag])} and {quoted(name)} are both {tag}: choose one "
                f"with --columns {tag}=NAME"
            )
        by_tag[tag] = name


def _listed(names: Mapping[str, object]) -> str:
    shown = [quoted(name) for name in list(names)[:20]]
    more = f" and {len(names) - 20:,} more" if len(names) > 20 else ""
    return ", ".join(shown) + more
