"""Claims: a sentence, what was measured, what would be needed, and whether it holds.

A claim that does not hold is printed as failing: that is what the toolkit is for. A
claim about a mean is judged by the two-sided interval of Student's t over runs at
LEVEL (ours): where nothing is there, a verdict of either sign is given in at most 5 %
of cases. Of the claims of one analysis, made together, `holm` says which verdicts
remain when that is to be the chance of any of them. At a small scale the full size of
an effect is not required, only its sign.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import mean, stdev
from typing import Any, Literal

Verdict = Literal["holds", "fails", "not decidable at this scale"]
UNDECIDED: Verdict = "not decidable at this scale"
LEVEL = 0.95  # of intervals
FEWEST = 3  # runs: of one or two nothing is decided


@dataclass(frozen=True)
class Claim:
    """One claim and its verdict.

    Attributes:
        sentence: what is claimed.
        measured: mean over runs; of a claim about every run, the smallest.
        spread: sample standard deviation over runs; NaN for one.
        n: number of runs, or of pairs of runs that share a seed.
        unit: of measured, spread, low, high and needed.
        needed: the condition in words: ``at least 6`` or ``above 0``.
        verdict: whether it holds.
        source: who claims it, and whose threshold it is.
        low: lower end of the interval of the mean at LEVEL; NaN without one.
        high: its upper end.
        p: two-sided, of a mean at the border of the claim; NaN where not tested.
        p_holm: *p* after Holm's correction over the claims of an analysis.
    """

    sentence: str
    measured: float
    spread: float
    n: int
    unit: str
    needed: str
    verdict: Verdict
    source: str
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    p_holm: float = math.nan


def at_least(
    threshold: float,
    values: Sequence[float],
    *,
    sentence: str,
    unit: str,
    source: str,
    full_size: bool,
    error: float = 0.0,
) -> Claim:
    """Return the claim that the mean of *values* is at least *threshold*.

    Holds if the whole interval of the mean lies above the border, fails if it lies
    below, else it is not decidable; neither with fewer than FEWEST values. The border
    is *threshold* at full size and 0 below it, where only the sign counts.

    Args:
        threshold: what a run of full size is expected to show.
        values: one a run; for two methods their differences, a pair of runs of one
            seed each. NaN: not measured, left out.
        sentence: what is claimed.
        unit: of threshold and values.
        source: who claims it, and whose threshold it is.
        full_size: whether the runs are those of the paper's protocol.
        error: standard error of what all values share (the sample of images), added
            to that of the runs in squares; it makes intervals wider.
    """
    numbers = [float(value) for value in values if not math.isnan(value)]
    n = len(numbers)
    measured = mean(numbers) if n else math.nan
    spread = stdev(numbers) if n > 1 else math.nan
    border = threshold if full_size else 0.0
    low = high = p = math.nan
    verdict: Verdict = UNDECIDED
    if n >= FEWEST:
        standard_error = math.hypot(spread / math.sqrt(n), error)
        low, high, p = _student(measured, standard_error, n - 1, border)
        verdict = "holds" if low > border else "fails" if high < border else UNDECIDED
    needed = f"at least {threshold:g}"
    if not full_size:
        needed = f"above 0 (full size: {needed})" if threshold else "above 0"
    return Claim(
        sentence, measured, spread, n, unit, needed, verdict, source, low, high, p
    )


def in_every(
    threshold: float, values: Sequence[float], *, sentence: str, unit: str, source: str
) -> Claim:
    """Return the claim that each of *values* is at least *threshold*, at every scale.

    For properties that allow no exception, such as a stronger attack that leaves no
    more. One exception makes it fail; it holds from FEWEST values on. *measured* is
    the smallest; nothing is estimated, so there is no interval.
    """
    numbers = [float(value) for value in values if not math.isnan(value)]
    n = len(numbers)
    verdict: Verdict = UNDECIDED
    if any(value < threshold for value in numbers):
        verdict = "fails"
    elif n >= FEWEST:
        verdict = "holds"
    return Claim(
        sentence=sentence,
        measured=min(numbers, default=math.nan),
        spread=stdev(numbers) if n > 1 else math.nan,
        n=n,
        unit=unit,
        needed=f"every one at least {threshold:g}",
        verdict=verdict,
        source=source,
    )


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of the mean's interval, Student's t at LEVEL.

    NaN for fewer than FEWEST values, or where one of them is NaN.

    Examples:
        >>> low, high = mean_interval([1.0, 2.0, 3.0])
        >>> round(low, 3), round(high, 3)
        (-0.484, 4.484)
    """
    n = len(values)
    if n < FEWEST or any(map(math.isnan, values)):
        return math.nan, math.nan
    low, high, _ = _student(mean(values), stdev(values) / math.sqrt(n), n - 1, 0.0)
    return low, high


def holm(claims: Sequence[Claim]) -> list[Claim]:
    """Return the claims with ``p_holm``, over those of them that were tested.

    The i-th smallest of m p-values (i from 0) times m - i, never below the one before
    it and at most 1: who rejects where it is at most 5 % errs in any of the m with a
    chance of at most 5 %. Verdicts stay as they are.

    Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    order = sorted(
        (i for i, c in enumerate(claims) if not math.isnan(c.p)),
        key=lambda i: claims[i].p,
    )
    corrected, highest = list(claims), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * claims[i].p))
        corrected[i] = replace(claims[i], p_holm=highest)
    return corrected


def as_plain(claim: Claim) -> dict[str, Any]:
    """Return the claim as JSON values: None where a number is NaN."""
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in asdict(claim).items()
    }


def from_plain(values: dict[str, Any]) -> Claim:
    """Return the claim that ``as_plain`` returned as JSON values."""
    fields: dict[str, Any] = {
        k: math.nan if v is None else v for k, v in values.items()
    }
    return Claim(**fields)


def _student(
    measured: float, error: float, freedom: int, border: float
) -> tuple[float, float, float]:
    """Return the ends of a mean's interval, and the p-value of *border*."""
    from scipy.special import stdtr, stdtrit  # takes half as long as torch

    reach = float(stdtrit(freedom, (1 + LEVEL) / 2)) * error
    if error:
        p = 2 * float(stdtr(freedom, -abs(measured - border) / error))
    else:
        p = float(measured == border)
    return measured - reach, measured + reach, p
