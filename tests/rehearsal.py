"""A training step as a GPU would capture it, without one: every operation looked at.

On tensors that claim to be on the GPU (tests/claimed_device.py). What a capture does
not have: draws, copies between devices, and whatever waits for the device, such as
reading a number or choosing rows by a mask.
"""

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from unittest import mock

import torch
from claimed_device import CUDA, ClaimedDevice
from tape import tensors
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_map_only

from rofit.running import components, runner
from rofit.training.graphs import StepGraphs
from rofit.training.loop import make_step, train_step

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
        asks = CUDA.type in touched and not (func.is_view or func in SILENT)
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
    """Run the block where there seems to be a GPU: what asks its driver is answered."""
    answers = {
        "get_device_name": "rehearsed",
        "max_memory_allocated": 2**30,
        "get_rng_state": None,
        "set_rng_state": None,
    }
    with ExitStack() as patches:
        for name, answer in answers.items():
            driver = mock.patch.object(torch.cuda, name, lambda *_, it=answer: it)
            patches.enter_context(driver)
        pinned = mock.patch.object(torch.Tensor, "pin_memory", lambda tensor: tensor)
        patches.enter_context(pinned)
        patches.enter_context(mock.patch.object(torch, "load", _load))
        patches.enter_context(ClaimedDevice())
        yield


def _load(file, *, map_location, load=torch.load, **options):
    with _disable_current_modes():
        state = load(file, map_location="cpu", **options)
    return tree_map_only(torch.Tensor, lambda t: t.to(map_location), state)


def training(spec, **options):
    """Return a training on the device, in its last epoch."""
    data = components.load_data(spec, Path())
    run, _ = runner.build_training(spec, data=data, device=CUDA, **options)
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
    for batch, start in run.batches(run.plan()):
        run.method.begin_step(run.progress, run.step)
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
    run.graphs = StepGraphs(
        run.method, record=record, on_side_stream=lambda call: call()
    )
    batches = run.batches(run.plan())
    while True:
        inside.clear()
        with Launches() as outside:
            made = next(batches, None)
            if made is None:
                return counts
            make_step(run, *made)
        counts.append(outside.n - sum(inside) + bool(run.graphs.graphs))
