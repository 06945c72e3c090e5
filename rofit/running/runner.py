"""From a RunSpec to a trained network: the one place where names become objects."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from rofit.data.images import Dataset, Images
from rofit.data.noise import symmetric_noise
from rofit.diagnostics import Monitor, find_diagnostic
from rofit.distributed.batch_norm import synchronised
from rofit.distributed.ranks import ALONE, Ranks
from rofit.errors import UserError, is_out_of_memory
from rofit.methods import Context, find_kind, make_params
from rofit.methods.mixing import mixed
from rofit.methods.resolve import described, teachers
from rofit.progress import Report
from rofit.running.begin import begin
from rofit.running.beside import require_splittable, train_beside
from rofit.running.components import initial_model, load_data, split_of
from rofit.running.epoch_views import view_maker
from rofit.running.teaching import checkpoints_of_teachers, teacher_network
from rofit.seeding import numpy_rng
from rofit.settings.spec import RunSpec
from rofit.store.environment import method_code
from rofit.store.rows import keep_columns
from rofit.store.runs import RunFolder
from rofit.training import checkpoint
from rofit.training.batches import DeviceImages
from rofit.training.curves import LearningCurves
from rofit.training.divergence import Diverged
from rofit.training.engine import find_engine, make_attack, training_attack
from rofit.training.graphs import StepGraphs
from rofit.training.loop import train
from rofit.training.process import prepare, without_bf16
from rofit.training.state import Training
from rofit.training.stop import Stop

# What it returns is told, while open, the epochs whose checkpoint is on the disk.
Follow = Callable[[RunFolder], AbstractContextManager[Callable[[int], None]]]


def build_training(
    spec: RunSpec,
    *,
    data: Dataset,
    device: torch.device,
    engine: str = "eager",
    diagnostics: Iterable[str] = (),
    keep: frozenset[int] = frozenset(),
    taught_by: Mapping[str, Path] | None = None,
    ranks: Ranks = ALONE,
) -> tuple[Training, pd.DataFrame]:
    """Return a training at its start, and a table of its training labels.

    *taught_by* has the checkpoints of the method's teachers; a teacher without one has
    the initial weights of its own run, which is enough for timing.
    The table has a row a training image: position in the published training part,
    given and true class, and whether the label was drawn anew.
    """
    splits = split_of(spec, data)
    if len(splits.train) % spec.batch_size == 1:
        raise UserError(
            f"{len(splits.train)} training images in batches of {spec.batch_size} "
            "leave a last batch of one, which BatchNorm cannot train on; "
            "change batch_size"
        )
    require_splittable(spec, len(splits.train), ranks)
    noisy = symmetric_noise(
        splits.train.labels,
        rate=spec.label_noise,
        n_classes=data.n_classes,
        convention=spec.noise_convention,
        rng=numpy_rng(spec.data_seed, "label noise"),
    )
    labels = pd.DataFrame(
        {"position": splits.train_index, "given": noisy.given, "true": noisy.true}
    )
    labels["redrawn"] = labels.index.isin(noisy.flipped)
    train_images = DeviceImages(Images(splits.train.pixels, noisy.given), device)
    captured = engine == "compiled" and device.type == "cuda"
    model = synchronised(initial_model(spec, data).to(device), ranks)
    taught_by = taught_by or {}
    kind = find_kind(spec)
    context = Context(
        attack=training_attack(spec, engine),
        y=train_images.y,
        n_classes=data.n_classes,
        model=model,
        precision=spec.precision,
        image_shape=tuple(train_images.pixels.shape[1:]),
        teachers={
            name: teacher_network(teacher, data, device, taught_by.get(name))
            for name, (teacher, _) in teachers(spec).items()
        },
    )
    method = kind.build(make_params(kind, dict(spec.method_params)), context)
    method = mixed(spec, method, context, train_images.pairs)
    curves = LearningCurves(
        train_images,
        {
            "val": DeviceImages(splits.val, device),
            "test": DeviceImages(splits.test, device),
        },
        trained_with=method.inner.attack,
        evaluated_with=make_attack(spec, spec.eval_steps, engine, captured=captured),
        seed=spec.seed,
    )
    monitor = Monitor({name: find_diagnostic(name)() for name in diagnostics})
    view = view_maker(
        {"train": train_images} | curves.held_out,
        true=torch.tensor(noisy.true, device=device),
        redrawn=torch.tensor(labels["redrawn"].to_numpy(), device=device),
        initial={n: p.detach().clone() for n, p in model.named_parameters()},
    )
    graphs = StepGraphs(method) if captured else None
    training = Training(
        spec, model, method, train_images, curves, monitor, view, keep, graphs, ranks
    )
    return training, labels


def train_run(
    spec: RunSpec,
    folder: RunFolder,
    diagnostics: Iterable[str] = (),
    *,
    needed: Iterable[str] = (),
    data: Path,
    device: torch.device,
    engine: str = "auto",
    deterministic: bool = False,
    stop: Stop,
    report: Callable[[RunSpec, int], Report],
    follow: Follow = lambda folder: nullcontext(lambda epoch: None),
    keep: frozenset[int] = frozenset(),
    ranks: Ranks = ALONE,
) -> bool:
    """Train *spec* into *folder*, going on where it stopped; say whether it is done.

    *diagnostics* watch the run as far as they can be measured in it; without those in
    *needed* it does not begin. What *follow* returns is told which epochs are kept.
    Of several *ranks* the first one alone watches, evaluates and writes.

    Raises:
        UserError: the folder is held by another process, the data are not there, or a
            needed diagnostic cannot be measured in this run.
        Diverged: loss, weights or predictions became NaN or infinite.
    """
    with ranks.first_goes_ahead():
        images = load_data(spec, data)
    engine_used, remark = find_engine(engine, spec, device, ranks=ranks.count)
    prepare(spec.precision, deterministic=deterministic)
    training, labels = build_training(
        spec,
        data=images,
        device=device,
        engine=engine_used,
        diagnostics=diagnostics if ranks.first else (),
        keep=keep,
        taught_by=checkpoints_of_teachers(spec, folder),
        ranks=ranks,
    )
    if not ranks.first:
        return train_beside(training, stop)
    training.monitor.require(needed, training.view(training))
    with folder.opened(described(spec)):
        if folder.state == "done":
            return ranks.share(True)
        if stop.now:  # whose signal may have ended a trial of the compiler as well
            return ranks.share(False)
        description: dict[str, Any] = {
            "data_digest": images.digest,
            "engine": engine_used,
            "method_code": method_code(spec),
        }
        if ranks.count > 1:
            description["ranks"] = ranks.count
        remarks = begin(training, labels, folder, device, description)
        ranks.share(training.state_dict())
        begun = time.monotonic()
        try:
            with report(spec, training.epoch) as progress, follow(folder) as kept:
                for text in filter(None, (remark, *remarks)):
                    progress.note(text)
                if spec.precision == "bf16" and without_bf16(device):
                    progress.note(
                        "this CPU has no bf16 arithmetic and will be slow; --set "
                        "precision=fp32 is another run, and faster here"
                    )
                kept(training.epoch)
                done = train(training, folder, stop, progress, kept)
                if done and not (folder.checkpoints / checkpoint.BEST).exists():
                    progress.note(
                        f"best.pt, of epoch {training.best['epoch']}, is gone; "
                        "trained in another store (--store) the run makes it again"
                    )
        except Diverged as error:
            why = f"{error}; {_what_is_kept(folder)}; a lower lr is the usual cure"
            folder.event("diverged", why=why)
            raise Diverged(why) from None
        except (RuntimeError, MemoryError, OSError) as error:
            if not is_out_of_memory(error):
                raise
            raise UserError(
                f"{device} has too little memory for batch_size {spec.batch_size}: "
                "free it, train fewer at a time (--jobs), or with a smaller batch, "
                "a run of its own (--set "
                f"batch_size={spec.batch_size // 2}); {_what_is_kept(folder)}"
            ) from None
        position = {"epoch": training.epoch, "step": training.step, "done": done}
        seconds = round(time.monotonic() - begun, 1)
        watching = {n: round(s, 2) for n, s in training.monitor.seconds.items()}
        cost = {"seconds": seconds, "watching": watching} | training.cost()
        folder.event("stop", **position, **cost)
        if done:
            keep_columns(folder)
            folder.finish({"epochs": training.epoch, "best": training.best})
    return done


def _what_is_kept(folder: RunFolder) -> str:
    """Return what there is to go on with, once its checkpoints are written."""
    names = (checkpoint.LAST, checkpoint.PREVIOUS)
    if any((folder.checkpoints / name).exists() for name in names):
        return "the last checkpoint from before is kept"
    return "no checkpoint was saved before"
