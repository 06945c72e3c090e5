"""Slopes of single losses along ways of the weights, layer by layer, in one pass.

Forward mode would need a pass a layer, and single gradients in the weights memory.
"""

from contextlib import ExitStack

import torch
from torch import Tensor, nn
from torch.func import functional_call

from rofit.errors import UserError
from rofit.losses import cross_entropy
from rofit.modes import evaluating


def weight_layers(model: nn.Module) -> dict[str, nn.Conv2d | nn.Linear]:
    """Return the convolutions and linear layers of a network by name."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }


def slopes(
    model: nn.Module,
    x: Tensor,
    kinds: list[Tensor],
    ways: list[dict[str, Tensor]],
) -> Tensor:
    """Return ``d_l^T grad_l l_i``: how each loss changes as a layer's weights move.

    A layer's output is linear in its weights: along d_l it moves by m, the output that
    weights d_l give without bias, and the loss by <grad_output l_i, m_i>. One backward
    pass gives that for all images and layers; gradients in weights are not formed.

    Args:
        model: uses each of its layers once in a pass; in eval mode here.
        x: inputs (B, C, H, W) in [0, 1].
        kinds: sets of classes (B,), for the cross entropy l_i.
        ways: sets of d_l, layer -> tensor like its weights.

    Returns:
        (kinds, ways, B, layers), nats; layers in the order of `weight_layers`.

    Raises:
        UserError: a layer is used twice.
    """
    layers = weight_layers(model)
    inputs: dict[nn.Module, Tensor] = {}
    outputs: dict[nn.Module, Tensor] = {}

    def keep(layer: nn.Module, args: tuple[Tensor], output: Tensor) -> None:
        if layer in inputs:
            raise UserError("a layer that is used twice in a pass has no single slope")
        inputs[layer], outputs[layer] = args[0].detach(), output

    with ExitStack() as hooks, evaluating(model):
        for layer in layers.values():
            hooks.enter_context(layer.register_forward_hook(keep))
        logits = model(x.detach().requires_grad_(True))  # frozen weights do not matter
    layer_outputs = [outputs[layer] for layer in layers.values()]
    gradients = [
        torch.autograd.grad(
            cross_entropy(logits, y).sum(), layer_outputs, retain_graph=True
        )
        for y in kinds
    ]
    by_layer = []
    for number, (name, layer) in enumerate(layers.items()):
        moves = [_output(layer, way[name], inputs[layer]) for way in ways]
        by_layer.append([_inner(g[number], m) for g in gradients for m in moves])
    stacked = torch.stack([torch.stack(products) for products in by_layer], dim=-1)
    return stacked.unflatten(0, (len(kinds), len(ways)))


def _output(layer: nn.Module, weight: Tensor, x: Tensor) -> Tensor:
    """Return what the layer gives with other weights and without bias."""
    without = {name: torch.zeros_like(p) for name, p in layer.named_parameters()}
    with torch.no_grad():
        return functional_call(layer, without | {"weight": weight}, (x,))


def _inner(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).flatten(1).sum(dim=1)
