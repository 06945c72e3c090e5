"""The images on which an attack succeeds best, made anew from a checkpoint."""

from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rofit.errors import UserError
from rofit.report.images import unit_image
from rofit.store.evaluations import evaluations, read_verdicts
from rofit.store.runs import RunFolder

if TYPE_CHECKING:
    from rofit.running.checkpoints import LoadedCheckpoint

SHOWN, TRIED = 8, 32  # images
_KINDS = ("pgd", "cw", "fgsm")  # attacks that take seconds on so few images
_MOST_STEPS = 100


@dataclass(frozen=True)
class WorstImage:
    """One image: three pictures as data URIs, and what the network says of it.

    Attributes:
        index: position in the data set's test part.
        label: its class.
        clean: x.
        perturbation: delta, grey for 0 and full range for the largest of the image.
        adversarial: x + delta.
        before: prediction on x.
        after: prediction on x + delta.
        confidence: of that, in [0, 1].
        margin: of the logits: the highest wrong one minus the right one.
    """

    index: int
    label: str
    clean: str
    perturbation: str
    adversarial: str
    before: str
    after: str
    confidence: float
    margin: float


@dataclass(frozen=True)
class WorstImages:
    """The worst images of one evaluation, or why there are none.

    Attributes:
        title: checkpoint and attack.
        tried: number of images that they were chosen among.
        missing: a sentence where nothing can be shown, else empty.
        classes: class names, empty where the images are not there.
    """

    title: str
    images: list[WorstImage]
    tried: int
    missing: str
    classes: tuple[str, ...] = ()


def worst_images(run: RunFolder, data: Path) -> list[WorstImages]:
    """Return the worst images of best and last, each under its strongest short attack.

    Among the first TRIED images that the attack has fooled and that are right when
    clean, those with the largest margin. The attack is made again, by the evaluation's
    own seeds; nothing is fetched.

    Args:
        run: with checkpoints and evaluations.
        data: folder of the data sets.
    """
    chosen: dict[str, dict[str, Any]] = {}
    for result in sorted(evaluations(run), key=lambda r: -float(r["accuracy"])):
        short = int(result.get("number", 0)) <= _MOST_STEPS
        if result["kind"] in _KINDS and short:
            chosen[result["checkpoint"]] = result
    return [_worst(run, result, data) for _, result in sorted(chosen.items())]


def _worst(run: RunFolder, result: dict[str, Any], data: Path) -> WorstImages:
    radius = f"{255 * result['epsilon']:.4g}/255"
    title = f"{result['checkpoint']}, {result['attack']} in {result['norm']} {radius}"
    try:
        images, tried, names = _made(run.path, result["name"], data)
    except UserError as error:
        return WorstImages(title, [], 0, f"Images are not shown: {error}.")
    missing = "" if images else "The attack has fooled no image."
    return WorstImages(title, images, tried, missing, names)


@lru_cache(maxsize=8)  # a server shows them again and again
def _made(
    path: Path, evaluation: str, data: Path
) -> tuple[list[WorstImage], int, tuple[str, ...]]:
    """Return the images, among how many, and class names, or raise UserError.

    The evaluation's name is a hash of all that they depend on.
    """
    run = RunFolder(path)
    (result,) = (r for r in evaluations(run) if r["name"] == evaluation)
    subject = _subject(run, result, data)
    names = _class_names(subject, data)
    return *_attacked(run, result, subject, names), names


def _subject(run: RunFolder, result: dict[str, Any], data: Path) -> "LoadedCheckpoint":
    import torch

    from rofit.running.checkpoints import load_checkpoint

    _require_images(run, data)
    path = run.checkpoints / f"{result['checkpoint']}.pt"
    subject = load_checkpoint(path, data=data, device=torch.device("cpu"))
    if subject.digest != result["network"]:
        raise UserError(f"{path.name} holds other weights than were evaluated")
    return subject


def _require_images(run: RunFolder, data: Path) -> None:
    """Raise UserError where loading the images would have to fetch them."""
    from rofit.data.datasets import describe

    spec = run.spec
    present = {row.name for row in describe(data) if row.present}
    if not spec.dataset_digest and spec.dataset not in present:
        raise UserError(f"the images of {spec.dataset} are not in {data}")


def _class_names(subject: "LoadedCheckpoint", data: Path) -> tuple[str, ...]:
    from rofit.running.components import load_data

    return load_data(subject.spec, data).classes


def _attacked(
    run: RunFolder,
    result: dict[str, Any],
    subject: "LoadedCheckpoint",
    names: tuple[str, ...],
) -> tuple[list[WorstImage], int]:
    """Attack the first fooled images again; return the worst, and how many were."""
    import torch

    from rofit.evaluation.cases import Case
    from rofit.evaluation.stages import make_stages
    from rofit.losses import margin
    from rofit.modes import evaluating

    case = Case(**{f.name: result[f.name] for f in fields(Case) if f.name in result})
    verdicts = read_verdicts(run, result["name"])
    fooled = verdicts[~verdicts["fooled_by"].isin(["", "clean"])].head(TRIED)
    stages = make_stages(case, subject.network, n_classes=subject.n_classes)
    by_name = {stage.name: stage for stage in stages}
    position = {index: k for k, index in enumerate(subject.images.index)}
    candidates = []
    for name, rows in fooled.groupby("fooled_by"):
        index = [int(i) for i in rows["index"]]
        where = torch.tensor([position[i] for i in index])
        x, y = subject.images.x[where], subject.images.y[where]
        with evaluating(subject.network):
            x_adv = by_name[str(name)].find(x, y, index)
            with torch.no_grad():
                before, after = subject.network(x), subject.network(x_adv)
        margins = margin(after, y).tolist()
        for k, i in enumerate(index):
            candidates.append(
                WorstImage(
                    i,
                    names[int(y[k])],
                    *_pictures(x[k].numpy(), x_adv[k].numpy()),
                    names[int(before[k].argmax())],
                    names[int(after[k].argmax())],
                    float(after[k].softmax(dim=0).max()),
                    margins[k],
                )
            )
    candidates.sort(key=lambda image: -image.margin)
    return candidates[:SHOWN], len(fooled)


def _pictures(x: Any, x_adv: Any) -> tuple[str, str, str]:
    """Return clean, perturbation and adversarial of images (C, H, W) in [0, 1]."""
    delta = x_adv - x
    largest = float(np.abs(delta).max()) or 1.0
    shown = (x, 0.5 + delta / (2 * largest), x_adv)
    clean, perturbation, adversarial = map(unit_image, shown)
    return clean, perturbation, adversarial
