"""The network of a checkpoint in plain torch: its definition, as rofit's own source.

network.py is put together from the modules that rofit itself computes with, so that the
two cannot drift apart: their imports, but those of rofit, then what they define.
"""

import ast
import inspect
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch

import rofit
from rofit.errors import UserError
from rofit.interop.publish import plain_resnet, preact_builder
from rofit.models import classifier, forms, normalise, preact_resnet
from rofit.models.classifier import Classifier
from rofit.models.forms import ACTIVATIONS
from rofit.models.normalise import Normalise
from rofit.models.preact_resnet import PreActResNet
from rofit.models.resnet import ResNet18
from rofit.running.checkpoints import StoredCheckpoint, fill
from rofit.running.components import build_network

_COMMON = (normalise, classifier)
_HEAD = '''"""The network, in plain torch: images in [0, 1] go in, logits come out.

From the source of rofit {version}; load.py builds it and loads its weights.
"""

{imports}

UserError = ValueError
'''


class Definition(NamedTuple):
    """A network that can be built without rofit.

    Attributes:
        network: in eval mode, on the CPU, with its weights.
        arguments: of ``build`` in *source*.
        source: of network.py.
    """

    network: Classifier
    arguments: dict[str, Any]
    source: str


def define(stored: StoredCheckpoint, path: Path) -> Definition:
    """Return the network of the checkpoint *path* with its definition in plain torch.

    Sizes are read off the weights: no images of the run are needed.

    Raises:
        UserError: the weights do not fit the network that the spec names, or it is
            none of those that can be written in plain torch.
    """
    network = _rebuilt(stored, path)
    mean = std = None
    if isinstance(network.normalise, Normalise):
        mean = network.normalise.mean.flatten().tolist()
        std = network.normalise.std.flatten().tolist()
    common = {"n_classes": network.classifier.out_features, "mean": mean, "std": std}
    modules: Sequence[ModuleType]
    if isinstance(network, PreActResNet):
        sizes = _preact_sizes(network)
        modules = (forms, preact_resnet, preact_builder)
    elif isinstance(network, ResNet18):
        sizes = {"channels": network.trunk.conv1.in_channels}
        modules = (plain_resnet,)
    else:
        raise UserError(
            f"model {stored.spec.model} has no definition in plain torch, which "
            "rofit/interop/publish/network.py would have to know"
        )
    return Definition(network, sizes | common, united((*_COMMON, *modules)))


def united(modules: Sequence[ModuleType]) -> str:
    """Return the source of one module that defines what all of *modules* do.

    Without their docstrings and without imports of rofit: names of it that are used
    must be defined by one of the modules, or be UserError.
    """
    imports: set[str] = set()
    bodies = []
    for module in modules:
        text = inspect.getsource(module)
        lines = text.splitlines()
        for number, node in enumerate(ast.parse(text).body):
            is_docstring = number == 0 and isinstance(node, ast.Expr)
            is_import = isinstance(node, ast.Import | ast.ImportFrom)
            if is_import and not ast.unparse(node).startswith("from rofit"):
                imports.add(ast.unparse(node))
            if is_docstring or is_import:
                lines[node.lineno - 1 : node.end_lineno] = [""] * (
                    (node.end_lineno or node.lineno) - node.lineno + 1
                )
        bodies.append("\n".join(lines).strip())
    ordered = sorted(imports, key=lambda line: (_is_foreign(line), line))
    head = _HEAD.format(version=rofit.__version__, imports="\n".join(ordered))
    return "\n\n\n".join([head.rstrip(), *bodies]) + "\n"


def _rebuilt(stored: StoredCheckpoint, path: Path) -> Classifier:
    """Return the network that the spec names, with the checkpoint's weights."""
    spec, weights = stored.spec, stored.weights
    first = weights.get("stem.weight", weights.get("trunk.conv1.weight"))
    last = weights.get("classifier.weight")
    if first is None or last is None or first.ndim != 4 or last.ndim != 2:
        raise UserError(f"the weights in {path} are not those of {spec.model}")
    constants = [weights.get(f"normalise.{name}") for name in ("mean", "std")]
    mean, std = (None if c is None else c.flatten().tolist() for c in constants)
    with torch.random.fork_rng(devices=[]):
        network = build_network(
            spec,
            channels=first.shape[1],
            image_size=8 * 2 ** len(spec.blocks),  # any that fits: it is not kept
            n_classes=last.shape[0],
            mean=mean,
            std=std,
        )
    fill(network, stored, path)
    return network.eval().to(memory_format=torch.channels_last)


def _preact_sizes(network: PreActResNet) -> dict[str, Any]:
    stages = [list(stage.children()) for stage in network.stages.children()]
    first = stages[0][0]
    assert isinstance(first, preact_resnet.PreActBlock)
    names = {function: name for name, function in ACTIVATIONS.items()}
    return {
        "activation": names[first.activation],
        "form": asdict(first.form),
        "channels": network.stem.in_channels,
        "width": first.conv1.out_channels,
        "blocks": list(map(len, stages)),
        "stem_width": network.stem.out_channels,
        "stem_stride": network.stem.stride[0],
    }


def _is_foreign(line: str) -> bool:
    """Return whether an import is of no module of Python itself."""
    return line.split()[1].partition(".")[0] not in sys.stdlib_module_names
