"""Claims in words: a Markdown table, what was measured, and how it was judged."""

import math
from collections.abc import Sequence

from rofit.measures.claims import FEWEST, LEVEL, UNDECIDED, Claim

_PERCENT = f"{100 * LEVEL:.0f} %"


def markdown(claims: Sequence[Claim]) -> str:
    """Return the claims as a Markdown table, and below it how they were judged."""
    lines = [
        f"| verdict | claim | measured | {_PERCENT} interval | needed | p (Holm) |",
        "|---|---|---|---|---|---|",
    ]
    for claim in claims:
        lines.append(
            f"| **{claim.verdict}** | {claim.sentence} ({claim.source}) "
            f"| {measured_text(claim)} | {interval_text(claim)} | {claim.needed} "
            f"| {_p_text(claim)} |"
        )
    return "\n".join([*lines, "", how_judged(claims)]) + "\n"


def measured_text(claim: Claim) -> str:
    """Return what was measured: mean, standard deviation, unit and n."""
    if not claim.n:
        return "not measured"
    spread = "" if math.isnan(claim.spread) else f" ± {_number(claim.spread)}"
    return f"{_number(claim.measured)}{spread} {claim.unit}".rstrip() + (
        f", n = {claim.n}"
    )


def interval_text(claim: Claim) -> str:
    """Return the interval of the mean, empty without one."""
    if math.isnan(claim.low):
        return ""
    return f"{_number(claim.low)} to {_number(claim.high)}"


def how_judged(claims: Sequence[Claim]) -> str:
    """Return in words how the verdicts came about, and what Holm's correction leaves.

    Examples:
        >>> how_judged([])
        'No claim was tested: that takes 3 runs with 3 seeds.'
    """
    tested = [claim for claim in claims if not math.isnan(claim.p)]
    if not tested:
        return f"No claim was tested: that takes {FEWEST} runs with {FEWEST} seeds."
    decided = [claim for claim in tested if claim.verdict != UNDECIDED]
    remain = sum(claim.p_holm <= 1 - LEVEL for claim in decided)
    return (
        f"Verdicts by Student's t interval of the mean at {_PERCENT} for one claim, "
        "methods paired by seed; p is two-sided, in brackets after Holm's correction "
        f"for the {_counted(tested)} tested here, which {remain} of {len(decided)} "
        "verdicts survive."
    )


def _counted(claims: Sequence[Claim]) -> str:
    return "1 claim" if len(claims) == 1 else f"{len(claims)} claims"


def _p_text(claim: Claim) -> str:
    if math.isnan(claim.p):
        return ""
    both = [claim.p] if math.isnan(claim.p_holm) else [claim.p, claim.p_holm]
    first, *corrected = [f"{p:.2g}" if p >= 0.001 else "< 0.001" for p in both]
    return f"{first} ({corrected[0]})" if corrected else first


def _number(value: float) -> str:
    """Return two decimals, or two digits where those would say too little."""
    return f"{value:.2g}" if 0 < abs(value) < 0.1 else f"{value:.2f}"
