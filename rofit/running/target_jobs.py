"""`rofit.evaluate` of one run or file as a job, of its images or a share of them."""

from dataclasses import dataclass
from typing import Any

from rich.console import Console

from rofit.running.evaluate import evaluate
from rofit.store.evaluations import Shard, share_of
from rofit.training.stop import Stop


@dataclass(frozen=True)
class TargetJob:
    """The evaluations of one target.

    Attributes:
        target: a run's id or a checkpoint file.
        options: of `rofit.evaluate`, plain values; without shard and console.
        shard: (k, m): every m-th image from the k-th on.
        quiet: show no progress.
    """

    target: str
    options: dict[str, Any]
    shard: Shard
    quiet: bool

    @property
    def name(self) -> str:
        """What an error calls it."""
        return share_of(self.shard, f"the evaluation of {self.target}")

    @property
    def is_done(self) -> bool:
        """Whether all results are there, of all shares; reads the checkpoints."""
        table = evaluate(self.target, **self.options, dry_run=True)
        return bool(table["done"].all())

    def work(self, stop: Stop, console: Console, *, alone: bool) -> bool:
        """Make the evaluations that are missing; say whether this share is done.

        `rofit.evaluate` hears the same signals as *stop*.
        """
        shown = None if self.quiet else console
        table = evaluate(self.target, **self.options, shard=self.shard, console=shown)
        return bool(table["done"].all()) and not stop.now
