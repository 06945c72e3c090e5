"""Runs small trainings inside the test process."""

from pathlib import Path

import torch

from rofit import runner
from rofit.progress import Report
from rofit.store import RunStore
from rofit.training import checkpoint
from rofit.training.engine import Engine
from rofit.training.stop import Stop

CPU = torch.device("cpu")


class StopAfter(Report):
    """Asks for a stop once so many steps were made."""

    def __init__(self, stop, steps):
        self.stop, self.left = stop, steps

    def step(self, epoch, step, steps):
        self.left -= 1
        if self.left == 0:
            self.stop.now = True


def train(spec, root: Path, *, stop_after=None, **options):
    """Train *spec* under *root*; return its folder and whether it is done."""
    folder = RunStore(root / "runs").folder(spec.run_id)
    stop = Stop()
    report = Report() if stop_after is None else StopAfter(stop, stop_after)
    done = runner.run(
        spec,
        folder,
        data=root / "data",
        device=CPU,
        stop=stop,
        report=lambda spec, epoch: report,
        **options,
    )
    return folder, done


def doubled(run):
    """Return a training whose network and label table are float64."""
    run.model.double()
    run.engine = Engine(run.model, run.spec.precision)
    if hasattr(run.method.labels, "average"):
        run.method.labels.average = run.method.labels.average.double()
    return run


def last_state(folder):
    """Return the newest checkpoint's content."""
    found = checkpoint.load_last(folder.checkpoints, CPU)
    assert found is not None
    return found[0]


def same(one, other, path=""):
    """Assert that two checkpoints are equal bit for bit, key by key."""
    assert type(one) is type(other), path
    if isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key in one:
            same(one[key], other[key], f"{path}/{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), path
        for number, (a, b) in enumerate(zip(one, other, strict=True)):
            same(a, b, f"{path}/{number}")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), path
    else:
        assert one == other, path
