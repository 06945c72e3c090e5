"""A training on a device that is not the CPU: every operation is looked at.

The device is torch's ``meta``: tensors have shape, type and device, and no numbers, so
whatever reads a number, mixes devices or draws from the other device's stream shows
without a GPU. (Fake tensors that say ``cuda`` would be nearer; without a GPU, torch's
CUDA builds refuse to run their backward passes.)
"""

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from unittest import mock

import torch
from tape import tensors
from torch.optim import optimizer, sgd
from torch.utils._python_dispatch import TorchDispatchMode

from rofit import parts, runner
from rofit.training.graphs import StepGraphs
from rofit.training.loop import make_step, train_step

DEVICE = torch.device("meta")
aten = torch.ops.aten
# What waits until the device has come to it: its output's size, say, is to be known.
WAITING = {
    aten._local_scalar_dense.default,
    aten.equal.default,
    aten.is_nonzero.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten._unique2.default,
}
# Memory without a kernel.
SILENT = {
    aten.detach.default,
    aten.empty.memory_format,
    aten.empty_like.default,
    aten.empty_strided.default,
    aten._unsafe_view.default,
    aten.lift_fresh.default,
}


class NotOnAGPU(AssertionError):
    """An operation that a GPU would refuse, or that a captured step cannot have."""


class Launches(TorchDispatchMode):
    """Counts the operations that ask the device for work.

    Attributes:
        n: operations on the device that compute: without views and empty memory.
    """

    def __init__(self):
        super().__init__()
        self.n = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        output = func(*args, **kwargs or {})
        touched = {t.device.type for t in tensors(args, kwargs or {}, output)}
        asks = DEVICE.type in touched and not (func.is_view or func in SILENT)
        self.n += asks
        return output


class Captured(Launches):
    """Refuses what a captured step cannot have."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        given = tensors(args, kwargs)
        chosen = func in (aten.index.Tensor, aten.index_put_.default)
        if func in WAITING or chosen and any(t.dtype == torch.bool for t in given[1:]):
            raise NotOnAGPU(f"{func} waits for the device")
        if torch.Tag.nondeterministic_seeded in func.tags:
            raise NotOnAGPU(f"{func} draws")
        output = super().__torch_dispatch__(func, types, args, kwargs)
        devices = {t.device.type for t in [*given, *tensors(output)]}
        if len(devices) > 1:
            raise NotOnAGPU(f"{func} has tensors on {' and '.join(sorted(devices))}")
        return output


@contextmanager
def device():
    """Run the block with a fused optimizer on the device, which has none of its own."""
    library = torch.library.Library("aten", "IMPL", "Meta")
    for overload in ("_fused_sgd_", "_fused_sgd_.tensor_lr"):
        library.impl(overload, lambda *args, **kwargs: None)
    name = "_get_fused_kernels_supported_devices"
    supported = [*getattr(optimizer, name)(), DEVICE.type]
    try:
        with ExitStack() as patches:
            for module in (optimizer, sgd):
                if hasattr(module, name):  # in sgd until torch 2.4
                    patch = mock.patch.object(module, name, lambda: supported)
                    patches.enter_context(patch)
            yield
    finally:
        library._destroy()


def training(spec, **options):
    """Return a training on the device, in its last epoch."""
    data = parts.load_data(spec, Path())
    run, _ = runner.build(spec, data=data, device=DEVICE, **options)
    run = replace(run, graphs=StepGraphs(run.method))  # the rate is a tensor
    run.epoch = spec.epochs - 1
    run.method.begin_epoch(run.epoch, spec.epochs)
    run.model.train()
    return run


def operations(run):
    """Return how many operations each step of an epoch has, under a capture's rules.

    The first step makes what later ones change in place: it is not looked at.
    """
    counts = []
    for batch, start in _batches(run):
        run.method.begin_step(run.progress)
        if batch.step == 0:
            train_step(run, batch, start)
            continue
        with Captured() as captured:
            train_step(run, batch, start)
        counts.append(captured.n)
    return counts


def launches(run):
    """Return how often each step of an epoch asks the device, its batch included.

    A graph that is replayed asks once. One that is captured does not count.
    """

    def record(function):
        with Launches() as captured:
            output = function()
        inside.append(captured.n)
        return output, lambda: None

    inside, counts = [], []
    run.graphs = StepGraphs(run.method, record=record, aside=lambda call: call())
    batches = _batches(run)
    while True:
        inside.clear()
        with Launches() as outside:
            made = next(batches, None)
            if made is None:
                return counts
            make_step(run, *made)
        counts.append(outside.n - sum(inside) + bool(run.graphs.graphs))


def _batches(run):
    plan = run.plan()
    for batch in run.train.batches(run.spec, plan, begin=0):
        kind = run.method.start
        start = plan.start(batch.step, run.spec.threat, batch.x.shape, kind=kind)
        yield batch, start.to(DEVICE)
