"""Each convolution of a network by itself: forward, input gradient, weight gradient.

What is left to gain is read off here first: a layer far below the device's rate of
products is where a kernel of its own could pay.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from rofit.bench.problem import Ours, bench_spec, digits_32
from rofit.bench.timing import interleaved

Row = dict[str, Any]


def layer_rows(
    model: str, batch_size: int, *, rounds: int, device: torch.device
) -> list[Row]:
    """Return milliseconds and GFLOP/s of each kind of convolution, bf16, NHWC."""
    spec = bench_spec(model, batch_size, precision="bf16")
    ours = Ours(spec, digits_32(), device, "eager")
    rows: dict[str, Row] = {}
    for layer, x in _inputs(ours):
        shape = f"{layer.in_channels} > {layer.out_channels}, {x.shape[-1]} px"
        name = f"{shape}, {layer.kernel_size[0]}x{layer.kernel_size[1]}"
        name += f" / {layer.stride[0]}"
        if name in rows:
            rows[name]["count"] += 1
            continue
        ways, flops = _ways(layer, x)
        for call in ways.values():
            call()
        times = interleaved(ways, rounds=rounds, device=device)
        rows[name] = {"model": model, "batch": batch_size, "layer": name, "count": 1}
        for way, timing in times.items():
            rows[name][f"{way} ms"] = round(1e3 * timing.median, 3)
            rows[name][f"{way} GFLOP/s"] = round(flops / timing.median / 1e9)
    return list(rows.values())


def _inputs(ours: Ours) -> list[tuple[nn.Conv2d, Tensor]]:
    """Return every convolution with what it receives in a forward pass."""
    inputs: list[tuple[nn.Conv2d, Tensor]] = []
    network = ours.run.engine.frozen
    hooks = [
        module.register_forward_pre_hook(
            lambda layer, args: inputs.append((layer, args[0]))
        )
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
    ]
    with torch.no_grad():
        network(ours.held[0].x.contiguous(memory_format=torch.channels_last))
    for hook in hooks:
        hook.remove()
    return inputs


def _ways(layer: nn.Conv2d, x: Tensor) -> tuple[dict[str, Callable[[], object]], float]:
    """Return the three passes as calls, and the FLOPs of each."""
    y = layer(x)
    upstream = torch.randn_like(y)
    geometry = [list(layer.stride), list(layer.padding), list(layer.dilation)]

    def backward(image: bool, weight: bool) -> object:
        return torch.ops.aten.convolution_backward(
            upstream,
            x,
            layer.weight,
            None,
            *geometry,
            False,
            [0, 0],
            1,
            [image, weight, False],
        )

    kernel = layer.weight.shape[1:].numel()
    ways: dict[str, Callable[[], object]] = {
        "forward": lambda: layer(x),
        "input gradient": lambda: backward(True, False),
        "weight gradient": lambda: backward(False, True),
    }
    return ways, 2.0 * y.numel() * kernel
