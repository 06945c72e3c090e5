"""The same diagnostics for a training loop outside of rofit.

A few lines inside anyone's PyTorch loop write the same store, which load_logs reads and
the figures draw:

    from rofit.watch import watch

    watched = watch(model, train=(x, y), test=(x_test, y_test), epochs=30, name="mine")
    for epoch in range(watched.done, 30):
        for xb, yb in loader:
            ...
            loss.backward()
            watched.step(logits, yb, loss)
            optimizer.step()
        watched.epoch(lr=scheduler.get_last_lr()[0])
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import nn

from rofit.adapters.inputs import Inputs, Statement
from rofit.adapters.labelled import read_classes
from rofit.adapters.networks import LogitsAt, unwrapped
from rofit.errors import UserError, unknown
from rofit.settings.knobs import knob_types
from rofit.settings.spec import RunSpec
from rofit.watching.images import UnitImages
from rofit.watching.training import WatchedTraining

LabelledImages = tuple[Any, Any]


def watch(
    model: nn.Module,
    *,
    train: LabelledImages,
    test: LabelledImages,
    epochs: int,
    val: LabelledImages | None = None,
    true: Any = None,
    diagnostics: Iterable[str] = (),
    store: str | Path = "runs",
    name: str = "theirs",
    dataset: str = "theirs",
    inputs: Statement = "unit",
    logits: LogitsAt = None,
    resume: bool = False,
    **settings: Any,
) -> WatchedTraining:
    """Watch a training loop outside of rofit; see the head of this file.

    The network is run once, on two images, and the classes are held against its logits;
    what it is trained on is held against *inputs* at the first step. Weights in half
    precision are measured in fp32.

    Args:
        model: on its device, not yet trained; DataParallel, DDP and torch.compile are
            looked through.
        train: images (N, C, H, W) as the network takes them, or uint8, and given
            classes (N,), tensors or arrays, in random order: diagnostics measure the
            first few hundred.
        test: the same of the test images.
        epochs: how many there will be.
        val: held-out training images that choose best; test images do without.
        true: true classes of the training images, if given ones are noisy.
        diagnostics: names; if empty, all that can be measured: one that fails on
            this network is warned of and left out.
        store: folder of runs.
        name: of the method, as logs and figures will call it.
        dataset: likewise.
        inputs: what the network takes: ``"unit"`` for [0, 1], ``"bytes"`` for 0..255,
            or (mean, std), in units of [0, 1], by which images are normalised outside
            of it. Epsilon is in units of [0, 1] always.
        logits: where its output has the logits (B, K): a place, a key, or a function of
            the output; None where it is a tensor, has ``logits``, or one matrix only.
        resume: go on after the epochs that the folder has: ``done`` of the result says
            how many; `resume_from` drops those that your checkpoint does not have. A
            folder without an epoch is used again in any case.
        **settings: other fields of RunSpec that the logs should hold: seed, epsilon,
            norm, eval_steps, attack_steps (0: no attack), batch_size, lr ...

    Raises:
        UserError: images that are not as *inputs* says, classes that the network has no
            logit for, an output without logits, an unknown diagnostic or field, a
            diagnostic that was named and cannot be measured, or a run of this name and
            settings that is there already.
    """
    unknown_fields = set(settings) - set(knob_types(RunSpec))
    if unknown_fields:
        raise unknown("field of a run", sorted(unknown_fields)[0], knob_types(RunSpec))
    network, taken = unwrapped(model), Inputs.read(inputs)
    like = next(network.parameters())
    tensors = {"train": train} | ({"val": val} if val else {}) | {"test": test}
    images = {
        name: UnitImages(*_pair(name, split), taken, like)
        for name, split in tensors.items()
    }
    spec = RunSpec(
        method=name, dataset=dataset, model=type(network).__name__, epochs=epochs
    )
    val_size = len(images["val"]) if "val" in images else 0
    sizes = {"train_size": len(images["train"]), "val_size": val_size}
    spec = spec.replace(**sizes | settings)
    given = images["train"].y
    expected = f"a true class for each of {len(given)} training images"
    truth = given if true is None else read_classes(true, len(given), like, expected)
    return WatchedTraining(
        model,
        spec,
        images,
        truth,
        diagnostics=diagnostics,
        store=Path(store),
        inputs=taken,
        logits=logits,
        resume=resume,
    )


def _pair(name: str, split: Any) -> LabelledImages:
    try:
        images, classes = split
    except (TypeError, ValueError):
        kind = type(split).__name__
        raise UserError(
            f"{name} must be a pair (images, classes), got {kind}"
        ) from None
    return images, classes
