"""What the adversary may do: one object for attack, evaluation and diagnostics."""

import math
from dataclasses import dataclass

from rofit.errors import UserError, quoted, unknown
from rofit.settings.knobs import parse_value

NORMS = ("linf", "l2")
_LARGEST = {"linf": 1.0, "l2": 10.0}


@dataclass(frozen=True)
class ThreatModel:
    """A ball of radius *epsilon* around a clean input, cut to the valid range.

    Attributes:
        norm: ``linf`` or ``l2`` (over all pixels and channels of one image).
        epsilon: radius in input units, inputs lying in [lower, upper].
        lower: smallest valid pixel value.
        upper: largest valid pixel value.

    Raises:
        UserError: an unknown norm, or a radius outside [0, 1] (linf) or [0, 10] (l2).
    """

    norm: str = "linf"
    epsilon: float = 8 / 255
    lower: float = 0.0
    upper: float = 1.0

    def __str__(self) -> str:
        """Return norm and radius as the field writes them: ``linf 8/255``."""
        return f"{self.norm} {radius_text(self.epsilon)}"

    def __post_init__(self) -> None:
        """Check norm and radius."""
        if self.norm not in NORMS:
            raise unknown("norm", self.norm, NORMS)
        largest = _LARGEST[self.norm]
        if not 0 <= self.epsilon <= largest:
            hint = (
                f"; did you mean {self.epsilon:g}/255?"
                if largest < self.epsilon <= 255
                else ""
            )
            raise UserError(
                f"epsilon must be in [0, {largest:g}] (input units, {self.norm}), "
                f"got {self.epsilon:g}{hint}"
            )


def radius_text(radius: float) -> str:
    """Return a radius, or a step, in input units as people write it.

    Examples:
        >>> radius_text(8 / 255), radius_text(0.5)
        ('8/255', '0.5')
    """
    numerator = round(radius * 255)
    if math.isclose(radius * 255, numerator, abs_tol=1e-9):
        return f"{numerator}/255"
    return f"{radius:g}"


def read_threat(threat: "str | ThreatModel") -> ThreatModel:
    """Return the threat model that ``linf:8/255`` stands for, or *threat* itself.

    Raises:
        UserError: no norm and radius, or one out of range.

    Examples:
        >>> str(read_threat("l2:0.5"))
        'l2 0.5'
    """
    if isinstance(threat, ThreatModel):
        return threat
    norm, colon, radius = (
        threat.partition(":") if isinstance(threat, str) else ("",) * 3
    )
    if not colon:
        raise UserError(
            f"a threat model is written norm:radius (linf:8/255), got {quoted(threat)}"
        )
    return ThreatModel(norm.strip(), parse_value("epsilon", radius.strip(), float))
