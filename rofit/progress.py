"""How far a training is: a bar on a terminal, plain lines elsewhere."""

import time
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


def report(console: Console, label: str, epochs: int, done: int) -> Report:
    """Return a bar where *console* is a terminal, else plain lines."""
    kind = Bar if console.is_terminal else Lines
    return kind(console, label, epochs, done)
