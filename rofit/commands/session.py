"""What the flags of one command mean: folders, scale, device, time limit."""

import math
import time
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from rofit.errors import UserError
from rofit.reproduction.plan import Request
from rofit.settings.knobs import parse_pair
from rofit.settings.scales import find_scale
from rofit.store.places import Places
from rofit.store.runs import RunStore

if TYPE_CHECKING:
    from rofit.data.folders import ClassFolders


@dataclass(frozen=True)
class Flags:
    """The flags that run, reproduce and train share, as typed."""

    scale: str | None = None
    settings: tuple[str, ...] = ()
    seeds: int | None = None
    store: str | None = None
    out: str | None = None
    data: str | None = None
    device: str = "auto"
    engine: str = "auto"
    jobs: int = 1
    deterministic: bool = False
    dry_run: bool = False
    redraw: bool = False
    max_minutes: float | None = None
    as_json: bool = False
    quiet: bool = False
    debug: bool = False


@dataclass
class Session:
    """The flags, understood.

    Attributes:
        places: folders of runs, results and data.
        settings: overrides as text, field -> value.
        data: the class folders of ``--data``, if they are some.
    """

    flags: Flags
    console: Console
    places: Places = field(init=False)
    settings: dict[str, str] = field(init=False)
    data: "ClassFolders | None" = field(init=False, default=None)
    start_time: float = field(init=False, default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Understand the flags, opening ``--data`` where it is given.

        Raises:
            UserError: a scale, a pair or a path that cannot be used.
        """
        flags = self.flags
        self.places = Places.given(flags.store, flags.out)
        self.settings = dict(parse_pair(text) for text in flags.settings)
        if flags.scale:
            find_scale(flags.scale)
        if flags.max_minutes is not None and math.isnan(flags.max_minutes):
            raise UserError("--max-minutes expects a number of minutes, got nan")
        if flags.data == "":
            raise UserError("--data expects a path, got nothing")
        if flags.data:
            from rofit.data.folders import open_data

            root, self.data = open_data(Path(flags.data), cache=self.places.data)
            self.places = replace(self.places, data=root)

    @cached_property
    def scale(self) -> str:
        """Name of the scale; asks torch for a GPU only without ``--scale``."""
        return self.flags.scale or _default_scale()

    @property
    def store(self) -> RunStore:
        """The store of runs."""
        return RunStore(self.places.store)

    def execution(self) -> dict[str, Any]:
        """Return what `rofit.train` and `rofit.evaluate` both take from the flags."""
        from rofit.training.stop import minutes_left

        return {
            "store": self.places.store,
            "data": self.places.data,
            "device": self.flags.device,
            "engine": self.flags.engine,
            "max_minutes": minutes_left(self.flags.max_minutes, self.start_time),
            "console": None if self.flags.quiet else self.console,
        }

    def scale_text(self) -> str:
        """Return what the scale is, and without ``--scale`` why it was taken."""
        text = f"scale {self.scale}: {find_scale(self.scale).about}"
        if self.flags.scale:
            return text
        article = "a" if self.scale == "gpu" else "no"
        return (
            f"{text} (taken because there is {article} CUDA device; --scale changes it)"
        )

    def request(self, name: str) -> Request:
        """Return the request for an analysis that these flags make."""
        return Request(name, self.scale, self.settings, self.flags.seeds, self.data)


def _default_scale() -> str:
    from rofit.commands.devices import has_cuda

    return "gpu" if has_cuda() else "demo"
