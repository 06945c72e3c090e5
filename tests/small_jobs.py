"""Training jobs of tiny runs, and what became of their folders."""

from rich.console import Console
from training_helpers import last_state

from rofit.diagnostics import DIAGNOSTICS
from rofit.running.jobs import work_all
from rofit.running.training_job import TrainingJob
from rofit.settings.recipes import RECIPES
from rofit.settings.scales import SCALES
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunStore, read_events

QUIET = Console(quiet=True)
SPEC = SCALES["smoke"].apply(RECIPES["sgls"].apply(RunSpec()))
SPEC = SPEC.replace(val_size=16, test_size=16, blocks=(1, 1))
LONG, SHORT = SPEC.replace(epochs=200), SPEC.replace(epochs=1)


def job(spec, root):
    """Return a job like the command line's."""
    return TrainingJob(
        spec,
        RunStore(root / "runs").folder(spec.run_id),
        tuple(DIAGNOSTICS),
        (),
        data=root / "data",
        device="cpu",
        engine="auto",
        deterministic=False,
        keep=frozenset(),
        log_to=(),
        label=spec.method,
        quiet=True,
    )


def train_jobs(specs, root, at_a_time, max_minutes=None):
    """Train the runs; return their folders and whether all are done."""
    queue = [job(spec, root) for spec in specs]
    done = work_all(queue, at_a_time, max_minutes, QUIET)
    return [training.folder for training in queue], done


def steps(folder):
    """Return the steps in the newest checkpoint."""
    state = last_state(folder)
    per_epoch = -(-state["spec"]["train_size"] // state["spec"]["batch_size"])
    return per_epoch * state["epoch"] + state["step"]


def events(folder):
    return [row["event"] for row in read_events(folder.path)]
