"""A run that several processes train: which can be, and what those but the first do."""

from typing import Any

import torch

from rofit.distributed.ranks import Ranks
from rofit.errors import UserError
from rofit.methods import find_method
from rofit.progress import Report
from rofit.settings.method_files import method_files
from rofit.settings.spec import RunSpec
from rofit.training.divergence import check_finite, check_weights
from rofit.training.loop import train_epoch
from rofit.training.state import Training
from rofit.training.stop import Stop


def require_splittable(spec: RunSpec, n: int, ranks: Ranks) -> None:
    """Check that every batch of *n* training images has an image for each rank.

    Raises:
        UserError: it has not, or a method's step is no sum over images, or may be none.
    """
    if ranks.count == 1:
        return
    for name in filter(None, (spec.method, spec.labels_from, *spec.weights_from)):
        _require_sum(name)
    smallest = min(spec.batch_size, n % spec.batch_size or spec.batch_size)
    if smallest < ranks.count:
        raise UserError(
            f"{n} training images in batches of {spec.batch_size} leave a batch of "
            f"{smallest}, too few for {ranks.count} processes; start fewer, or change "
            "batch_size"
        )


def own_gpu(device: str, ranks: Ranks) -> str:
    """Return the name of this process's device: on a machine each has a GPU.

    Raises:
        UserError: one GPU is named for several processes.
    """
    if ranks.count == 1 or device == "cpu":
        return device
    if device not in ("auto", "cuda"):
        raise UserError(
            f"each of {ranks.count} processes has a GPU of its own: give "
            f"--device cuda, not {device}"
        )
    if device == "auto" and not torch.cuda.is_available():
        return "cpu"
    return f"cuda:{ranks.local}"


def train_beside(run: Training, stop: Stop) -> bool:
    """Make the steps of a run whose first rank watches, evaluates and writes.

    Returns:
        Whether the run is done.

    Raises:
        Diverged: loss or weights are not finite, as on every rank.
        RankLost: another process has ended.
    """
    state: dict[str, Any] | bool = run.ranks.share(None)
    if isinstance(state, bool):  # the first rank does not train
        return state
    run.load_state_dict(state)
    while run.epoch < run.spec.epochs:
        terms = train_epoch(run, stop, Report())
        first_step = run.step - len(terms) + 1
        check_finite(terms, epoch=run.epoch + 1, first_step=first_step)
        check_weights(run)
        if run.step == run.steps:
            run.close_epoch()
        if run.ends(stop):
            break
    return run.epoch == run.spec.epochs


def _require_sum(method: str) -> None:
    """Check that a method's loss and attack are sums over images, or said to be.

    Its COUPLES names what couples the images of a batch; nothing where nothing does. A
    file of one's own must say it: a loss that is none would be another one in parts.

    Raises:
        UserError: they are not, or a file of one's own does not say.
    """
    couples = getattr(find_method(method), "COUPLES", None)
    if couples:
        raise UserError(
            f"several processes cannot train one run of {method}: {couples} is of "
            "a whole batch; train it without torchrun"
        )
    file = method_files().get(method)
    if couples is None and file:
        raise UserError(
            f"several processes pass parts of a batch: where loss and attack of "
            f'{method} are sums over images, write COUPLES = "" into {file}; else '
            "train it without torchrun"
        )
