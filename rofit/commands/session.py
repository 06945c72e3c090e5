"""What the flags of one command mean: folders, scale, device, time limit."""

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click
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
    data: tuple[str, ...] = ()
    device: str = "auto"
    engine: str = "auto"
    jobs: int = 1
    devices: str | None = None
    log_to: tuple[str, ...] = ()
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
        typed: the overrides of ``--set`` as text, field -> value.
        data: the class folders that ``--data`` names.
        known: the data sets in torchvision's folder, where ``--data`` names that.
        devices: those that ``--devices`` names; the first stands for ``--device``.
    """

    flags: Flags
    console: Console
    places: Places = field(init=False)
    typed: dict[str, str] = field(init=False)
    data: "tuple[ClassFolders, ...]" = field(init=False, default=())
    known: tuple[str, ...] = field(init=False, default=())
    devices: tuple[str, ...] = field(init=False, default=())
    start_time: float = field(init=False, default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Understand the flags, opening ``--data`` where it is given.

        Raises:
            UserError: a scale, a pair or a path that cannot be used.
        """
        if self.flags.devices is not None:
            self.devices = _read_devices(self.flags)
            self.flags = replace(self.flags, device=self.devices[0])
        flags = self.flags
        self.places = Places.given(flags.store, flags.out)
        self.typed = dict(parse_pair(text) for text in flags.settings)
        if flags.scale:
            find_scale(flags.scale)
        if flags.max_minutes is not None and math.isnan(flags.max_minutes):
            raise UserError("--max-minutes expects a number of minutes, got nan")
        if flags.data:
            from rofit.data.datasets import known_in
            from rofit.data.folders import open_all

            root, self.data = open_all(flags.data, cache=self.places.data, say=notify)
            self.places = replace(self.places, data=root)
            self.known = () if self.data else known_in(root)

    @cached_property
    def scale(self) -> str:
        """Name of the scale; asks torch for a GPU only without ``--scale``."""
        return self.flags.scale or _default_scale()

    @cached_property
    def settings(self) -> dict[str, str]:
        """Overrides as text, field -> value: those typed, and fp32 where bf16 is slow.

        A scale in bf16 becomes fp32, with a sentence, on a CPU without bf16 arithmetic.
        """
        precision = find_scale(self.scale).changes.get("precision")
        if precision != "bf16" or "precision" in self.typed or not self._without_bf16():
            return self.typed
        self.console.print(
            f"rofit: scale {self.scale} is of bf16, for which this CPU has no "
            "arithmetic: with precision=fp32 instead, runs of their own"
        )
        return self.typed | {"precision": "fp32"}

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

    def scale_text(self, datasets: Iterable[str], *, seeds: int, takes: str) -> str:
        """Return what the scale is, of which data sets, with which overrides.

        Without ``--scale`` why it was taken as well.

        Args:
            datasets: as people read them.
            seeds: runs of each setting.
            takes: how long, in words; empty if nobody knows.
        """
        number = f"{seeds} seed{'s' * (seeds > 1)}"
        text = f"scale {self.scale}: {find_scale(self.scale).about}, {number}"
        text += f": {takes}" if takes else ""
        text += f"; images of {', '.join(dict.fromkeys(datasets))}"
        if self.settings:
            changes = (f"{key}={value}" for key, value in self.settings.items())
            text += f"; with {', '.join(changes)}"
        if self.flags.scale:
            return text
        article = "a" if self.scale == "gpu" else "no"
        return (
            f"{text} (taken because there is {article} CUDA device; --scale changes it)"
        )

    def request(self, name: str) -> Request:
        """Return the request for an analysis that these flags make."""
        return Request(
            name,
            self.scale,
            self.settings,
            self.flags.seeds,
            self.data,
            self.known,
        )

    def _without_bf16(self) -> bool:
        from rofit.commands.devices import has_cuda

        if self.flags.device != "cpu" and (self.flags.device != "auto" or has_cuda()):
            return False
        import torch

        from rofit.training.process import without_bf16

        return without_bf16(torch.device("cpu"))


def _read_devices(flags: Flags) -> tuple[str, ...]:
    """Return the devices that ``--devices`` names.

    Raises:
        UserError: one that is not here or is named twice, or flags for one device.
    """
    from rofit.running.components import check_devices

    if flags.jobs != 1 or flags.device != "auto":
        raise UserError(
            "--devices has one run on each device: leave --jobs and --device out "
            "(--jobs N --device cuda shares one GPU)"
        )
    names = tuple(name.strip() for name in (flags.devices or "").split(","))
    check_devices(names)
    return names


def notify(sentence: str) -> None:
    """Print a sentence on standard error, as rofit's."""
    click.echo(f"rofit: {sentence}", err=True)


def _default_scale() -> str:
    from rofit.commands.devices import has_cuda

    return "gpu" if has_cuda() else "demo"
