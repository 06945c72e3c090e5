"""The job that trains a run: plain values, which can be sent to another process."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from rofit.distributed.ranks import ALONE, Ranks
from rofit.progress import Lines, Report, report
from rofit.running import runner
from rofit.running.beside import own_gpu
from rofit.running.components import find_device
from rofit.running.kept import saying_what_is_kept
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunFolder
from rofit.training.stop import Stop


@dataclass(frozen=True)
class TrainingJob:
    """One run to be trained."""

    spec: RunSpec
    folder: RunFolder
    diagnostics: tuple[str, ...]
    needed: tuple[str, ...]
    data: Path
    device: str
    engine: str
    deterministic: bool
    keep: frozenset[int]
    log_to: tuple[str, ...]
    label: str
    quiet: bool
    ranks: Ranks = ALONE

    @property
    def name(self) -> str:
        """The run's id."""
        return f"run {self.spec.run_id}"

    @property
    def is_done(self) -> bool:
        """Whether the run is trained."""
        return self.folder.state == "done"

    def work(self, stop: Stop, console: Console, *, alone: bool) -> bool:
        """Train the run; say whether it is done."""
        from rofit.sinks.live import following

        def make_report(spec: RunSpec, done: int) -> Report:
            if self.quiet or not self.ranks.first:
                return Report()
            report_type = report if alone else Lines
            return report_type(console, self.label, spec.epochs, done)

        with saying_what_is_kept(self.folder):
            return runner.train_run(
                self.spec,
                self.folder,
                self.diagnostics,
                needed=self.needed,
                data=self.data,
                device=find_device(own_gpu(self.device, self.ranks)),
                engine=self.engine,
                deterministic=self.deterministic,
                stop=stop,
                report=make_report,
                follow=partial(following, self.log_to),
                keep=self.keep,
                ranks=self.ranks,
            )
