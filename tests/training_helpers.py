"""Runs small trainings inside the test process."""

import dataclasses
from pathlib import Path

import torch

from rofit.data.digits import load_digits
from rofit.losses import cross_entropy
from rofit.methods.resolve import all_teachers
from rofit.models import build_model
from rofit.progress import Report
from rofit.running import components, runner
from rofit.store.runs import RunStore
from rofit.training import checkpoint
from rofit.training.engine import Engine
from rofit.training.loop import train_epoch
from rofit.training.stop import Stop

CPU = torch.device("cpu")


class StopAfter(Report):
    """Asks for a stop once so many steps were made."""

    def __init__(self, stop, steps):
        self.stop, self.left = stop, steps

    def step(self, epoch, step, steps):
        self.left -= 1
        if self.left == 0:
            self.stop.signalled = True


def train(spec, root: Path, *, stop_after=None, device=CPU, **options):
    """Train *spec* under *root*; return its folder and whether it is done.

    The runs that it learns from are trained before.
    """
    for teacher in all_teachers([spec]):
        train(teacher, root, device=device)
    folder = RunStore(root / "runs").folder(spec.run_id)
    stop = Stop()
    report = Report() if stop_after is None else StopAfter(stop, stop_after)
    done = runner.train_run(
        spec,
        folder,
        data=root / "data",
        device=device,
        stop=stop,
        report=lambda spec, epoch: report,
        **options,
    )
    return folder, done


def built(spec, engine="eager", **options):
    """Return a training on the digits at its start."""
    data = components.load_data(spec, Path())
    return runner.build_training(spec, data=data, device=CPU, engine=engine, **options)[
        0
    ]


def make_epochs(run, epochs):
    """Make the steps of some epochs, without evaluation; return the losses."""
    losses = []
    for _ in range(epochs):
        terms = train_epoch(run, Stop(), Report())
        losses += [term["cross_entropy"].item() for term in terms]
        run.epoch, run.step = run.epoch + 1, 0
    return losses


def as_vector(state):
    """Return all weights and running statistics of a state dict in one row."""
    floats = (tensor for tensor in state.values() if tensor.is_floating_point())
    return torch.cat([tensor.flatten() for tensor in floats])


def doubled(run):
    """Return a training whose networks and label tables are float64.

    Networks: in training, averaged, ADR's teacher and those that KD learns from.
    """
    labels, average = run.method.labels, run.method.average
    for table in ("average", "means", "sums", "table", "share"):
        if hasattr(labels, table):
            setattr(labels, table, getattr(labels, table).double())
    for name in ("prior", "momentum", "begun"):
        if hasattr(run.method.inner, name):
            doubled = getattr(run.method.inner, name).double()
            object.__setattr__(run.method.inner, name, doubled)
    networks = [run.model, *(teacher for teacher, _ in getattr(labels, "teachers", ()))]
    networks += [
        avg.network for avg in (average, getattr(labels, "teacher", None)) if avg
    ]
    for network in networks:
        network.double()
    averaged = average.network if average else None
    run.engine = Engine(run.model, run.spec.precision, averaged)
    return run


def with_double_inputs(run):
    """Give a training's images and starts to its networks in float64."""
    batches, clean = run.batches, run.clean_batches

    def doubles(plan, *, begin=0):
        for batch, start in batches(plan, begin=begin):
            yield dataclasses.replace(batch, x=batch.x.double()), start.double()

    run.batches = doubles
    run.clean_batches = lambda: (x.double() for x in clean())
    return run


def digits(split="train"):
    """Return the digits of a split: images (N, 1, 8, 8) in [0, 1] and classes (N,)."""
    images = getattr(load_digits(), split)
    return torch.from_numpy(images.pixels) / 255, torch.from_numpy(images.labels)


def digits_net(name="preact_small", *, steps=30, batch=64, seed=0, **options):
    """Return a network after a few steps on the digits, in train mode, as a run's."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = build_model(name, channels=1, image_size=8, n_classes=10, **options)
    net = net.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    x, y = digits()
    for step in range(steps):
        index = torch.arange(step * batch, (step + 1) * batch) % len(x)
        optimizer.zero_grad()
        cross_entropy(net(x[index]), y[index]).mean().backward()
        optimizer.step()
    optimizer.zero_grad()
    with torch.no_grad():  # running statistics lag behind so short a training
        for images in x[: 10 * batch].split(batch):
            net(images)
    return net


def last_state(folder):
    """Return the newest checkpoint's content."""
    newest = checkpoint.load_last(folder.checkpoints, CPU)
    assert newest is not None
    return newest[0]


def same(one, other, path=""):
    """Assert that two checkpoints are equal bit for bit, key by key."""
    assert type(one) is type(other), path
    if isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key in one:
            same(one[key], other[key], f"{path}/{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), path
        for number, (a, b) in enumerate(zip(one, other, strict=True)):
            same(a, b, f"{path}/{number}")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), path
    else:
        assert one == other, path
