"""How far a training is: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

_EVERY = 20  # seconds between plain lines


class Report(AbstractContextManager["Report"]):
    """Hears how far a training is; this one says nothing."""

    def __exit__(self, *error: object) -> None:
        """End."""

    def note(self, text: str) -> None:
        """Hear something that the user should know."""

    def step(self, epoch: int, step: int, steps: int) -> None:
        """Hear that *step* of *steps* steps of the epoch (from 0) are done."""

    def epoch(self, epoch: int, lr: float, score: float) -> None:
        """Hear of a finished epoch (from 1), its rate and its robust accuracy."""


class Bar(Report):
    """A bar with the time left, the learning rate and the current robust accuracy."""

    def __init__(self, console: Console, label: str, epochs: int, done: int) -> None:
        """Show a bar called *label*, *done* of *epochs* epochs over."""
        self.done = done
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[seen]}"),
            console=console,
        )
        self.task = self.progress.add_task(
            label, total=epochs, completed=done, seen="first epoch"
        )

    def __enter__(self) -> "Bar":
        """Show it."""
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Leave it as it stands."""
        self.progress.stop()

    def note(self, text: str) -> None:
        """Print it above the bar."""
        self.progress.console.print(text, soft_wrap=True)

    def step(self, epoch: int, step: int, steps: int) -> None:
        """Move the bar within the epoch."""
        self.progress.update(self.task, completed=epoch + step / steps)

    def epoch(self, epoch: int, lr: float, score: float) -> None:
        """Move the bar to the epoch's end and show what was seen."""
        seen = f"robust {100 * score:.1f} %  lr {lr:g}"
        self.progress.update(self.task, completed=epoch, seen=seen)


class Lines(Report):
    """A line every twenty seconds and at the end."""

    def __init__(self, console: Console, label: str, epochs: int, done: int) -> None:
        """Write lines that begin with *label*."""
        self.console, self.label, self.epochs = console, label, epochs
        self.first = done
        self.begun = self.told = time.monotonic()

    def note(self, text: str) -> None:
        """Write it."""
        self.console.print(f"{self.label}  {text}", soft_wrap=True)

    def epoch(self, epoch: int, lr: float, score: float) -> None:
        """Write where it stands, if it is time."""
        now = time.monotonic()
        if epoch < self.epochs and now - self.told < _EVERY:
            return
        self.told = now
        pace = (now - self.begun) / (epoch - self.first)
        left = pace * (self.epochs - epoch)
        self.console.print(
            f"{self.label}  epoch {epoch}/{self.epochs}  robust {100 * score:.1f} %  "
            f"lr {lr:g}  {left / 60:.1f} min left",
            soft_wrap=True,
        )


class Meter(AbstractContextManager["Meter"]):
    """Work that shrinks faster than it was planned: what is left is told each time."""

    def __init__(self, console: Console | None, label: str, left: float) -> None:
        """Begin with *left* units of work; say nothing without a console."""
        self.label, self.whole, self.left = label, left, left
        self.console = console
        self.begun = self.told = time.monotonic()
        self.bar: Progress | None = None
        if console is not None and console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(bar_width=20))
            seen = TextColumn("{task.fields[seen]}")
            self.bar = Progress(*columns, TimeRemainingColumn(), seen, console=console)
            self.task = self.bar.add_task(label, total=left or 1, seen="")

    def __enter__(self) -> "Meter":
        """Show it."""
        if self.bar is not None:
            self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Leave it as it stands."""
        if self.bar is not None:
            self.bar.stop()

    def show(self, left: float, seen: str) -> None:
        """Hear how much work is left, and what has been seen."""
        done, self.left = self.whole - left, left
        now = time.monotonic()
        if self.bar is not None:
            self.bar.update(self.task, completed=done, seen=seen)
        elif self.console is not None and now - self.told >= _EVERY:
            self.told = now
            minutes = (now - self.begun) / max(done, 1e-9) * left / 60
            self.console.print(
                f"{self.label}  {seen}  {minutes:.1f} min left at most",
                soft_wrap=True,
            )


def report(console: Console, label: str, epochs: int, done: int) -> Report:
    """Return a bar where *console* is a terminal, else plain lines."""
    kind = Bar if console.is_terminal else Lines
    return kind(console, label, epochs, done)


def meters(console: Console | None, about: str) -> Callable[[str, float], Meter]:
    """Return what makes meters whose labels begin with *about*."""
    return lambda label, left: Meter(console, about + label, left)
