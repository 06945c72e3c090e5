"""What a reader makes of a log: rows by epoch, settings, and what a user must know."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from rofit.errors import UserError
from rofit.store.log import named

Row = dict[str, Any]

# An attack that the log counts under, and does not name.
NOT_NAMED = "not_named"
MOST_EPOCHS = 1_000_000


@dataclass(frozen=True)
class ForeignLog:
    """A log that was read.

    Attributes:
        rows: whole epochs done -> rows as in epochs.jsonl, without the epoch.
        settings: fields of RunSpec that the log says, in our words and units.
        header: what the program printed of its settings, as it did.
        remarks: sentences on what is missing, doubled or not finite.
    """

    rows: dict[int, list[Row]]
    settings: dict[str, Any]
    header: dict[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


class Epochs:
    """Rows by epoch while a log is read: the later of two takes the earlier's place."""

    def __init__(self) -> None:
        """Begin with none."""
        self.rows: dict[int, list[Row]] = {}
        self.remarks: list[str] = []
        self._start = 0
        self._starts: dict[int, int] = {}
        self._twice: set[int] = set()
        self._not_finite: set[int] = set()

    def begin_again(self) -> None:
        """Note that the program was started (again)."""
        self._start += 1

    def add(self, epoch: int, rows: Iterable[Row]) -> None:
        """Take the rows of an epoch, from 1; none where there are none.

        Raises:
            UserError: the epoch is no number that one can have.
        """
        rows = list(rows)
        if not rows:
            return
        if not 0 < epoch <= MOST_EPOCHS:
            raise UserError(
                f"expected epochs of at most {MOST_EPOCHS:,}, got {epoch:,} (from 1)"
            )
        if epoch in self.rows:
            self._twice.add(epoch)
        self.rows[epoch] = []
        self._starts[epoch] = self._start
        self.extend(epoch, rows)

    def extend(self, epoch: int, rows: Iterable[Row]) -> None:
        """Add rows to those of an epoch."""
        for row in rows:
            if row["value"] is None or not math.isfinite(row["value"]):
                self._not_finite.add(epoch)
                row = row | {"value": None}  # JSON has neither NaN nor infinity
            self.rows[epoch].append(row)

    def finished(
        self, settings: dict[str, Any], header: dict[str, Any] | None = None
    ) -> ForeignLog:
        """Return the log, with remarks on epochs that are doubled, missing, not finite.

        Raises:
            UserError: there is no epoch.
        """
        if not self.rows:
            raise UserError("it has no epoch with numbers")
        rows = dict(sorted(self.rows.items()))
        remarks = list(dict.fromkeys(self.remarks))
        if self._twice:
            remarks.append(f"{named(self._twice)} more than once: the last is taken")
        last_start = max(self._starts.values())
        later = min(e for e in rows if self._starts[e] == last_start)
        of_before = [e for e in rows if e > later and self._starts[e] != last_start]
        if of_before:
            remarks.append(f"{named(of_before)} only from a start before the last one")
        if missing := set(range(1, max(rows))) - set(rows):
            remarks.append(f"{named(missing)} missing")
        if self._not_finite:
            remarks.append(f"values that are not finite in {named(self._not_finite)}")
        return ForeignLog(rows, settings, header or {}, tuple(remarks))


def measurement(
    split: str,
    attack: str,
    metric: str,
    value: float | None,
    *,
    measured: str = "epoch_end",
    n: int | None = None,
) -> Row:
    """Return a row of a log: accuracy as a fraction, loss in nats."""
    row: Row = {"split": split, "attack": attack, "metric": metric}
    row["measured"] = measured
    return row | ({} if n is None else {"n": n}) | {"value": value}


def learning_rate(value: float | None) -> Row:
    """Return the row of an epoch's learning rate."""
    return {"split": "train", "metric": "learning_rate", "value": value}


def fraction(per_cent: str) -> float:
    """Return a number in per cent as a fraction, the float nearest to what was printed.

    Examples:
        >>> fraction("52.10"), 52.10 / 100, fraction("45.59")
        (0.521, 0.521, 0.4559)

    Raises:
        ValueError: it is no number.
    """
    try:
        return float(Decimal(per_cent).scaleb(-2))
    except InvalidOperation:
        return float(per_cent)
