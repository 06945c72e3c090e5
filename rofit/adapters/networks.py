"""Networks of other programs as attacks take them: [0, 1] to logits, in fp32.

Nothing of the network is changed: what is measured is a copy of its modules that has
the very same weights, with a hook before it and one behind it.
"""

import copy
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from rofit.adapters.inputs import Inputs
from rofit.errors import UserError
from rofit.models.classifier import Classifier

# Where a network's output has its logits: a place, a key, a function of it, or None
# where that is plain.
LogitsAt = int | str | Callable[[Any], Tensor] | None
_HALF = (torch.float16, torch.bfloat16)


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the network inside of DataParallel, DDP, torch.compile and averages.

    Raises:
        UserError: it is no network with weights, or its weights are sharded.
    """
    if not isinstance(model, nn.Module):
        kind = type(model).__name__
        raise UserError(f"expected a network (torch.nn.Module), got {kind}")
    if isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
        return unwrapped(inner)  # torch.compile, whose import takes seconds
    if isinstance(model, nn.DataParallel | DistributedDataParallel | AveragedModel):
        return unwrapped(model.module)
    weight = next(model.parameters(), None)
    if weight is None:
        raise UserError("the network has no parameters: there is nothing to watch")
    if type(weight).__name__ in ("DTensor", "FlatParameter"):
        raise UserError(
            "the network's weights are sharded over processes (FSDP): rofit measures "
            "networks that are whole in one process"
        )
    return model


def as_measured(model: nn.Module, inputs: Inputs, logits: LogitsAt) -> nn.Module:
    """Return the network with its weights, as a map from [0, 1] to logits (B, K).

    The weights are shared, but for those in half precision, which are copied to fp32:
    an attack's gradients would underflow.

    Args:
        model: without wrappers.
        inputs: what it takes.
        logits: where its output has them.

    Raises:
        UserError: the network cannot be copied.
    """
    in_half = any(p.dtype in _HALF for p in model.parameters())
    network = _copied(model, {} if in_half else _shared(model))
    network = network.float() if in_half else network
    if "_original_forward" in vars(network):  # accelerate's, without its autocast
        network.forward = network._original_forward  # type: ignore[assignment]
    _refuse_replaced_forward(network)

    dtype = next(network.parameters()).dtype

    def prepare(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        x = args[0].to(dtype)
        return (x if inputs.is_unit else inputs.to_network(x), *args[1:])

    def read(module: nn.Module, args: tuple[Any, ...], output: Any) -> Tensor:
        return read_logits(output, logits)

    # Diagnostics call features of ours by that name.
    first = network.normalise if isinstance(network, Classifier) else network
    first.register_forward_pre_hook(prepare, prepend=True)
    network.register_forward_hook(read)
    return network


def frozen(network: nn.Module) -> nn.Module:
    """Return the network in eval mode, sharing weights that ask for no gradients.

    An input gradient then costs two thirds of a backward pass.
    """
    shared = _shared(network)
    for p in network.parameters():
        shared[id(p)] = nn.Parameter(p.detach(), requires_grad=False)
    return _copied(network, shared).eval()


def read_logits(output: Any, at: LogitsAt) -> Tensor:
    """Return the logits (B, K) in a network's output.

    Where *at* is None: the output itself, what it has under the name ``logits``, or the
    only matrix of floats in it.

    Raises:
        UserError: none is there, or several could be meant.
    """
    try:
        value = _at(output, at)
    except (LookupError, TypeError, AttributeError):
        raise UserError(
            f"logits={at!r} is nothing in the network's output, {_kind(output)}"
        ) from None
    if not _is_matrix(value):
        raise UserError(
            f"expected logits (B, K) as floats in the network's output, got "
            f"{_kind(output)}; say where they are: logits=0, "
            'logits="name", or a function of the output'
        )
    return value


def first_logits(network: nn.Module, x: Tensor) -> Tensor:
    """Return the logits of images (n, C, H, W), or say why the network has none.

    Raises:
        UserError: the network does not take such images, or gives no logits (n, K).
    """
    try:
        with torch.no_grad():
            output = network(x)
    except UserError:
        raise
    except Exception as error:  # networks of others do anything
        why = (str(error).splitlines() or [""])[0][:200]
        raise UserError(
            f"the network does not take images {tuple(x.shape)}: "
            f"{type(error).__name__}: {why}"
        ) from None
    logits = read_logits(output, None)
    if len(logits) != len(x) or logits.shape[1] < 2:
        raise UserError(
            f"expected logits ({len(x)}, K) of {len(x)} images and 2 classes or more, "
            f"got {tuple(logits.shape)}"
        )
    return logits


def plain_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict under the names that it has without torch.compile."""
    return {name.replace("_orig_mod.", ""): value for name, value in weights.items()}


def digest(tensors: Iterable[Tensor]) -> str:
    """Return a name of some numbers: the same for the same bits."""
    hashed = hashlib.sha256()
    for tensor in tensors:
        plain = tensor.detach().cpu().contiguous()
        hashed.update(f"{plain.dtype} {tuple(plain.shape)}".encode())
        hashed.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())
    return hashed.hexdigest()[:16]


def _at(output: Any, at: LogitsAt) -> Any:
    if callable(at):
        return at(output)
    if isinstance(at, int):
        return output[at]
    if at is not None:
        is_mapping = isinstance(output, Mapping)
        return output[at] if is_mapping else getattr(output, at)
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Mapping):
        if "logits" in output:
            return output["logits"]
        parts = list(output.values())
    elif hasattr(output, "logits"):
        return output.logits
    else:
        parts = list(output) if isinstance(output, tuple | list) else []
    matrices = [part for part in parts if _is_matrix(part)]
    return matrices[0] if len(matrices) == 1 else None


def _is_matrix(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim == 2 and value.is_floating_point()


def _kind(output: Any) -> str:
    """Return the shape of an output in words."""
    if isinstance(output, Tensor):
        return f"{output.dtype} {tuple(output.shape)}"
    if isinstance(output, Mapping):
        return f"a dict of {', '.join(map(str, output))}"
    if isinstance(output, tuple | list):
        return f"{len(output)} parts ({', '.join(map(_kind, output))})"
    return type(output).__name__


def _shared(network: nn.Module) -> dict[int, Any]:
    """Return what deepcopy takes for copies of weights and buffers: themselves."""
    return {id(t): t for t in (*network.parameters(), *network.buffers())}


def _refuse_replaced_forward(network: nn.Module) -> None:
    """Raise UserError where a copy's forward would be that of the network itself."""
    for name, module in network.named_modules():
        forward = vars(module).get("forward")
        if forward is not None and getattr(forward, "__self__", None) is not module:
            raise UserError(
                f"the forward of {name or 'the network'} was replaced by a function: "
                "give the network a method, or bind it (types.MethodType)"
            )


def _copied(network: nn.Module, shared: dict[int, Any]) -> nn.Module:
    try:
        return copy.deepcopy(network, shared)
    except Exception as error:  # modules of others hold anything
        why = (str(error).splitlines() or [""])[0][:200]
        raise UserError(
            f"the network cannot be copied: {type(error).__name__}: {why}"
        ) from None
