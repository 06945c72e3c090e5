"""A checkpoint of another code base becomes a run of the store."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from rofit.data.images import Dataset
from rofit.data.unit import to_unit
from rofit.errors import UserError
from rofit.interop.checkpoints.families import HEADS
from rofit.interop.checkpoints.layouts import Layout, clean_accuracy, facts, layout_of
from rofit.interop.checkpoints.network import architecture, state_dict, with_constants
from rofit.interop.checkpoints.normalisers import (
    Normaliser,
    alternative,
    buffers,
    candidates,
    channels,
)
from rofit.interop.checkpoints.reading import read_checkpoint
from rofit.interop.checkpoints.selfcheck import IMAGES, check
from rofit.interop.checkpoints.storing import Imported, Origin, store_run
from rofit.interop.checkpoints.trusted import read_trusted
from rofit.interop.checkpoints.weights import Weights, chosen, networks
from rofit.models.classifier import Classifier
from rofit.running.checkpoints import require_finite
from rofit.running.components import initial_model, load_data, split_of
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunStore

# The data set that a network is of unless --dataset says so: by channels and classes.
_USUAL = {(3, 10): "cifar10", (3, 100): "cifar100"}


@dataclass(frozen=True)
class Choices:
    """What the flags say of a file; what is empty, the file or its layout says.

    Attributes:
        dataset: name of the data set.
        digest: of one of class folders.
        model: a name of `rofit.models`.
        normalise: ``inside``, ``outside`` or MEAN/STD.
        activation: ``relu`` or ``silu``.
        form: see `rofit.models.forms`.
        weights: path of the network in the file, where it holds several.
        name: of the method, as logs and figures will call it.
        trust: run the code of a file that is more than tensors.
    """

    dataset: str = ""
    digest: str = ""
    model: str = ""
    normalise: str = ""
    activation: str = ""
    form: str = ""
    weights: str = ""
    name: str = ""
    trust: bool = False


def import_checkpoint(
    path: Path, choices: Choices, *, store: Path, data: Path, device: torch.device
) -> Imported:
    """Put the network of a foreign checkpoint into the store, as a run.

    Args:
        path: a file of torch.save or safetensors.
        choices: what the user says of it.
        store: folder of runs.
        data: folder of data sets.
        device: where it is checked.

    Raises:
        UserError: the file cannot be read, is code, holds no network that rofit knows,
            or one that does not fit the model or the data set; its data set is not
            here; or it was imported before with other choices.
    """
    loaded = read_trusted(path) if choices.trust else read_checkpoint(path)
    every = networks(loaded, path)
    weights = chosen(every, choices.weights)
    layout = layout_of(weights)
    spec = _spec(choices, layout, weights, path)
    images = load_data(spec, data)
    held, known = buffers(weights)
    for other in every:
        if other.where == weights.where and other is not weights:
            known |= {other.prefix + key for key in other.tensors} | buffers(other)[1]
    state, unused = state_dict(weights, spec, images, known=known, path=path)
    require_finite(state, path)
    possible = candidates(choices.normalise, held, layout, weights, images)
    numbers = facts(weights.outer)
    test = split_of(spec, images).test
    result = check(
        lambda normaliser: _built(spec, images, state, normaliser).to(device),
        possible,
        other=None if held else alternative(possible[0], images),
        keep=bool(choices.normalise),
        claimed=clean_accuracy(numbers),
        x=to_unit(torch.from_numpy(test.pixels[:IMAGES]).to(device)),
        y=torch.from_numpy(test.labels[:IMAGES]).to(device),
        n_classes=images.n_classes,
    )
    others = tuple(w.path for w in every if w is not weights)
    return store_run(
        RunStore(store),
        path,
        spec.replace(normalise=bool(result.normaliser.mean)),
        with_constants(state, result.normaliser),
        Origin(layout, weights.path, others, unused, numbers, result),
    )


def _spec(choices: Choices, layout: Layout, weights: Weights, path: Path) -> RunSpec:
    """Return the run of a file's network, as far as anyone says what it is."""
    spec = RunSpec(
        method=choices.name or layout.name,
        dataset=choices.dataset or _usual_dataset(weights, path),
        dataset_digest=choices.digest,
        val_size=0,  # a data set may have fewer images than the default
    )
    return architecture(
        spec,
        weights,
        model=choices.model,
        activation=choices.activation,
        form=choices.form or layout.form,
    )


def _usual_dataset(weights: Weights, path: Path) -> str:
    """Return the data set that so many channels and classes usually mean.

    Raises:
        UserError: none does.
    """
    heads = [v for k, v in weights.tensors.items() if k in HEADS]
    key = (channels(weights), len(heads[0]) if heads and heads[0].ndim else 0)
    if key not in _USUAL:
        raise UserError(
            f"{path} does not say which data set its network is of ({key[0]} channels, "
            f"{key[1]} classes): name it by --dataset or --data"
        )
    return _USUAL[key]


def _built(
    spec: RunSpec, data: Dataset, state: dict[str, Tensor], normaliser: Normaliser
) -> Classifier:
    """Return the network with a normaliser, on the CPU."""
    network = initial_model(spec.replace(normalise=bool(normaliser.mean)), data)
    network.load_state_dict(with_constants(state, normaliser))
    return network
