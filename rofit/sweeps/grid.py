"""The settings of a sweep: what is typed for its fields, all of them or some drawn."""

import math
import re
from collections.abc import Iterable
from itertools import count, islice, product

from rofit.errors import UserError, quoted
from rofit.settings.knobs import knob_types
from rofit.settings.spec import RunSpec

MOST_RUNS = 1000
_RANGE = re.compile(r"(-?\d{1,18})\.\.(-?\d{1,18})")

Values = dict[str, tuple[str, ...]]  # field -> what is to be set, as text


def read_values(pairs: Iterable[tuple[str, str]]) -> Values:
    """Return the values of each field, as text: ``0.5,0.8`` and ``0..4`` are several.

    Commas separate the values of a field of one number or word, colons those of a field
    that has commas itself: ``drops=0.5,0.75:0.4,0.8``. A range has both its ends.

    Raises:
        UserError: a field twice, a range that is empty, or too many values.

    Examples:
        >>> read_values([("r", "0.5,1"), ("seed", "0..2"), ("drops", "0.5,0.75:0.9")])
        {'r': ('0.5', '1'), 'seed': ('0', '1', '2'), 'drops': ('0.5,0.75', '0.9')}
    """
    kinds, values = knob_types(RunSpec), Values()
    for field, text in pairs:
        if field in values:
            raise UserError(f"{field} is set twice; give all its values in one --set")
        kind = kinds.get(field)
        if kind in (None, int, float, bool, str):
            parts = [part.strip() for part in text.split(",")]
            many = parts if kind is str else _without_ranges(field, parts)
        else:
            many = [part.strip() for part in text.split(":")]
        if len(many) > MOST_RUNS:
            raise _too_many(f"{field} has {len(many):,} values")
        values[field] = tuple(many)
    return values


def settings_of(values: Values, budget: int | None) -> list[dict[str, str]]:
    """Return the settings of a sweep: field -> text, the last field varying fastest.

    Args:
        values: of each field.
        budget: draw so many different settings; all where None, or if there are no
            more. The draw is Sobol's sequence without scrambling: point u of [0, 1)^d
            is the value number floor(u n) of the n of each field. A larger budget has
            the settings of a smaller one.

    Raises:
        UserError: more than MOST_RUNS.
    """
    size = math.prod(map(len, values.values()))
    if min(size, budget or size) > MOST_RUNS:
        raise _too_many(f"{size:,} settings are asked for; --budget draws some of them")
    if budget is None or budget >= size:
        chosen: Iterable[tuple[str, ...]] = product(*values.values())
    else:
        chosen = _drawn(values, budget)
    return [dict(zip(values, setting, strict=True)) for setting in chosen]


def check_number_of_runs(settings: int, seeds: int) -> None:
    """Raise UserError for more runs than MOST_RUNS."""
    if settings * seeds > MOST_RUNS:
        raise _too_many(f"{settings:,} settings of {seeds:,} seeds are asked for")


def _without_ranges(field: str, parts: Iterable[str]) -> list[str]:
    """Return the parts, whole numbers from a to b for ``a..b``."""
    numbers: list[str] = []
    for part in parts:
        match = _RANGE.fullmatch(part)
        if match is None:
            numbers.append(part)
            continue
        low, high = int(match[1]), int(match[2])
        if high < low:
            raise UserError(
                f"{field}={quoted(part)} has no value: it ends below its start"
            )
        if high - low >= MOST_RUNS:
            raise _too_many(f"{field} has {high - low + 1:,} values")
        numbers += map(str, range(low, high + 1))
    return numbers


def _drawn(values: Values, budget: int) -> Iterable[tuple[str, ...]]:
    """Return the first *budget* different settings of the sequence."""
    from scipy.stats import qmc

    columns = list(values.values())
    for power in count(budget.bit_length()):  # it comes in powers of two
        points = qmc.Sobol(len(columns), scramble=False).random_base2(power)
        places = (points * [len(texts) for texts in columns]).astype(int)
        different = dict.fromkeys(map(tuple, places.tolist()))
        if len(different) >= budget:
            break
    return [
        tuple(texts[n] for texts, n in zip(columns, setting, strict=True))
        for setting in islice(different, budget)
    ]


def _too_many(what: str) -> UserError:
    return UserError(f"a sweep has at most {MOST_RUNS:,} runs; {what}")
