"""Claims: a sentence, what was measured, what would be needed, and whether it holds.

A claim that does not hold is printed as failing: that is what the toolkit is for. At a
small scale the full size of an effect is not required, only its sign, and only where
it is larger than the spread over seeds explains.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import mean, stdev
from typing import Any, Literal

Verdict = Literal["holds", "fails", "not decidable at this scale"]


@dataclass(frozen=True)
class Claim:
    """One claim and its verdict.

    Attributes:
        sentence: what is claimed.
        measured: mean over seeds.
        spread: sample standard deviation over seeds; NaN for one seed.
        n: number of seeds.
        unit: of measured, spread and needed.
        needed: the condition in words: ``at least 6`` or ``above 0``.
        verdict: whether it holds.
        source: who claims it, and whose threshold it is.
    """

    sentence: str
    measured: float
    spread: float
    n: int
    unit: str
    needed: str
    verdict: Verdict
    source: str


def at_least(
    threshold: float,
    values: Sequence[float],
    *,
    sentence: str,
    unit: str,
    source: str,
    full_size: bool,
) -> Claim:
    """Return the claim that the mean of *values* (one a seed) is at least *threshold*.

    Below full size only the sign counts: holds if the mean is above zero by more than
    two standard errors, fails if below zero by as much, else not decidable. Without two
    seeds there is no spread, and nothing is decidable below full size.
    """
    measured, spread, n = _summary(values)
    verdict: Verdict
    if math.isnan(measured):
        needed, verdict = f"at least {threshold:g}", "not decidable at this scale"
    elif full_size:
        needed = f"at least {threshold:g}"
        verdict = "holds" if measured >= threshold else "fails"
    else:
        needed = f"above 0 (full size: at least {threshold:g})"
        errors = 2 * spread / math.sqrt(n)
        if math.isnan(errors) or abs(measured) <= errors:
            verdict = "not decidable at this scale"
        else:
            verdict = "holds" if measured > 0 else "fails"
    return Claim(sentence, measured, spread, n, unit, needed, verdict, source)


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


def markdown(claims: Sequence[Claim]) -> str:
    """Return the claims as a Markdown table."""
    lines = ["| verdict | claim | measured over seeds | needed |", "|---|---|---|---|"]
    for claim in claims:
        lines.append(
            f"| **{claim.verdict}** | {claim.sentence} ({claim.source}) "
            f"| {measured_text(claim)} | {claim.needed} |"
        )
    return "\n".join(lines) + "\n"


def measured_text(claim: Claim) -> str:
    """Return what was measured: mean, standard deviation, unit and n."""
    if not claim.n:
        return "not measured"
    spread = "" if math.isnan(claim.spread) else f" ± {_number(claim.spread)}"
    return f"{_number(claim.measured)}{spread} {claim.unit}".rstrip() + (
        f", n = {claim.n}"
    )


def _number(value: float) -> str:
    """Return two decimals, or two digits where those would say too little."""
    return f"{value:.2g}" if 0 < abs(value) < 0.1 else f"{value:.2f}"


def _summary(values: Sequence[float]) -> tuple[float, float, int]:
    numbers = [float(value) for value in values if not math.isnan(value)]
    if not numbers:
        return math.nan, math.nan, 0
    return mean(numbers), stdev(numbers) if len(numbers) > 1 else math.nan, len(numbers)
