"""Where a run is from that rofit did not train: another's loop, log or checkpoint."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from rofit.errors import UserError, quoted
from rofit.names import check_name
from rofit.settings.knobs import knob_types
from rofit.settings.spec import RunSpec

KINDS = ("watched", "log", "checkpoint")


@dataclass(frozen=True)
class Source:
    """The key ``source`` of a spec.json.

    Attributes:
        kind: ``watched`` (a loop outside of rofit), ``log`` or ``checkpoint`` (files of
            other programs).
        layout: which program's file it is, empty for a loop.
        file: its name, without the folder.
        sha256: of its bytes.
        unknown: fields of RunSpec that the source does not say. What the spec holds
            there is a default and no fact: load_logs has None or NaN.

    Raises:
        UserError: another kind, no name, or a field that a run does not have.
    """

    kind: str
    layout: str = ""
    file: str = ""
    sha256: str = ""
    unknown: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what comes from a file that anyone may have written."""
        if self.kind not in KINDS:
            raise UserError(f"source.kind must be one of {KINDS}, got {self.kind!r}")
        for name in (self.layout, self.file, self.sha256):
            if name:
                check_name("source", name, longest=255)
        if foreign := set(self.unknown) - set(knob_types(RunSpec)):
            raise UserError(f"source.unknown: {min(foreign)!r} is no field of a run")

    @property
    def title(self) -> str:
        """What logs and figures call it: the layout and the file, or the kind."""
        return f"{self.layout}: {self.file}" if self.file else self.kind

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values, without those that are empty."""
        plain = dataclasses.asdict(self) | {"unknown": sorted(self.unknown)}
        return {key: value for key, value in plain.items() if value}

    @classmethod
    def from_dict(cls, values: Any) -> "Source":
        """Return the source that `as_dict` wrote.

        Raises:
            UserError: it is none.
        """
        try:
            texts = {**values, "unknown": tuple(values.get("unknown", ()))}
            flat = [*texts["unknown"], *(v for k, v in texts.items() if k != "unknown")]
            if not all(isinstance(text, str) for text in flat):
                raise TypeError
            return cls(**texts)
        except (TypeError, AttributeError):
            raise UserError(f"source is none of a run, got {quoted(values)}") from None
