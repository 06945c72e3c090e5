"""Progress of a training: a bar on a terminal or in a notebook, lines elsewhere."""

import math
import sys
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
_AGAIN = 0.5  # seconds between rewritings of a cell's line


class Report(AbstractContextManager["Report"]):
    """Receives the progress of a training; this one prints nothing."""

    def __exit__(self, *error: object) -> None:
        """End."""

    def note(self, text: str) -> None:
        """Receive a message for the user."""

    def step(self, epoch: int, step: int, steps: int) -> None:
        """Receive that *step* of *steps* steps of the epoch (from 0) are done."""

    def epoch(self, epoch: int, lr: float, score: float) -> None:
        """Receive a finished epoch (from 1), its learning rate and robust accuracy.

        NaN where the epoch was not evaluated.
        """


def _robust(score: float) -> str:
    return "" if math.isnan(score) else f"robust {100 * score:.1f} %  "


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
            TextColumn("{task.fields[status]}"),
            console=console,
        )
        self.task = self.progress.add_task(
            label, total=epochs, completed=done, status="first epoch"
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
        """Move the bar to the epoch's end and show accuracy and learning rate."""
        status = f"{_robust(score)}lr {lr:g}"
        self.progress.update(self.task, completed=epoch, status=status)


class Lines(Report):
    """A line every twenty seconds and at the end."""

    def __init__(self, console: Console, label: str, epochs: int, done: int) -> None:
        """Write lines that begin with *label*."""
        self.console, self.label, self.epochs = console, label, epochs
        self.first = done
        self.start_time = self.last_print = time.monotonic()

    def note(self, text: str) -> None:
        """Write it."""
        self.console.print(f"{self.label}  {text}", soft_wrap=True)

    def epoch(self, epoch: int, lr: float, score: float) -> None:
        """Write epoch, accuracy and time left, if the last line is old enough."""
        now = time.monotonic()
        if epoch < self.epochs and now - self.last_print < _EVERY:
            return
        self.last_print = now
        seconds_an_epoch = (now - self.start_time) / (epoch - self.first)
        remaining = seconds_an_epoch * (self.epochs - epoch)
        self.console.print(
            f"{self.label}  epoch {epoch}/{self.epochs}  {_robust(score)}"
            f"lr {lr:g}  {remaining / 60:.1f} min left",
            soft_wrap=True,
        )


class CellLine:
    """One line in the output of a notebook's cell, rewritten in place."""

    def __init__(self, console: Console) -> None:
        """Write into the cell that runs, unless *console* is quiet."""
        self.quiet, self.handle, self.last = console.quiet, None, -math.inf

    def show(self, text: str, *, must: bool = False) -> None:
        """Write *text* where the line stands; not too often, unless it *must* be."""
        now = time.monotonic()
        if self.quiet or not (must or now - self.last > _AGAIN):
            return
        self.last, bundle = now, {"text/plain": text}
        if self.handle is None:  # a kernel has imported IPython
            display = sys.modules["IPython"].display.display
            self.handle = display(bundle, raw=True, display_id=True)
        else:
            self.handle.update(bundle, raw=True)


class CellBar(Report):
    """A bar in a notebook's cell."""

    def __init__(self, console: Console, label: str, epochs: int, done: int) -> None:
        """Show a bar called *label*, *done* of *epochs* epochs over."""
        self.console, self.label, self.epochs = console, label, epochs
        self.first = self.done = float(done)
        self.line, self.status, self.start_time = (
            CellLine(console),
            "",
            time.monotonic(),
        )
        self._show(must=True)

    def __exit__(self, *error: object) -> None:
        """Leave it as it stands."""
        self._show(must=True)

    def note(self, text: str) -> None:
        """Print it beside the bar."""
        self.console.print(text, soft_wrap=True)

    def step(self, epoch: int, step: int, steps: int) -> None:
        """Move the bar within the epoch."""
        self.done = epoch + step / steps
        self._show()

    def epoch(self, epoch: int, lr: float, score: float) -> None:
        """Move the bar to the epoch's end and show accuracy and learning rate."""
        self.done, self.status = float(epoch), f"  {_robust(score)}lr {lr:g}"
        self._show()

    def _show(self, *, must: bool = False) -> None:
        full = int(20 * self.done / self.epochs)
        seconds = (time.monotonic() - self.start_time) / max(
            self.done - self.first, 1e-9
        )
        remaining = seconds * (self.epochs - self.done) / 60
        left = f"  {remaining:.1f} min left" if 0 < remaining < 1e6 else ""
        bar = f"{'━' * full}{'─' * (20 - full)}  {int(self.done)}/{self.epochs}"
        self.line.show(f"{self.label}  {bar}{self.status}{left}", must=must)


class Meter(AbstractContextManager["Meter"]):
    """Progress of work that may shrink: every report gives what remains."""

    def __init__(self, console: Console | None, label: str, remaining: float) -> None:
        """Begin with *remaining* units of work; print nothing without a console."""
        self.label, self.total, self.remaining = label, remaining, remaining
        self.console = console
        self.start_time = self.last_print = time.monotonic()
        self.bar: Progress | None = None
        in_cell = console is not None and console.is_jupyter
        self.line = CellLine(console) if console is not None and in_cell else None
        if console is not None and console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(bar_width=20))
            status = TextColumn("{task.fields[status]}")
            self.bar = Progress(
                *columns, TimeRemainingColumn(), status, console=console
            )
            self.task = self.bar.add_task(label, total=remaining or 1, status="")

    def __enter__(self) -> "Meter":
        """Show it."""
        if self.bar is not None:
            self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Leave it as it stands."""
        if self.bar is not None:
            self.bar.stop()

    def show(self, remaining: float, status: str) -> None:
        """Receive how much work remains, and a text that describes the state."""
        done, self.remaining = self.total - remaining, remaining
        now = time.monotonic()
        if self.bar is not None:
            self.bar.update(self.task, completed=done, status=status)
        elif self.line is not None:
            share = done / self.total if self.total else 1
            self.line.show(f"{self.label}  {share:.0%}  {status}", must=not remaining)
        elif self.console is not None and now - self.last_print >= _EVERY:
            self.last_print = now
            minutes = (now - self.start_time) / max(done, 1e-9) * remaining / 60
            self.console.print(
                f"{self.label}  {status}  {minutes:.1f} min left at most",
                soft_wrap=True,
            )


def report(console: Console, label: str, epochs: int, done: int) -> Report:
    """Return a bar where *console* is a terminal or a notebook's, else plain lines."""
    kind: type[Bar | CellBar | Lines] = Bar if console.is_terminal else Lines
    if console.is_jupyter:
        kind = CellBar
    return kind(console, label, epochs, done)


def meters(console: Console | None, prefix: str) -> Callable[[str, float], Meter]:
    """Return a function that makes meters whose labels begin with *prefix*."""
    return lambda label, remaining: Meter(console, prefix + label, remaining)
