"""Views of an epoch's end whose logits are given, and the slow twin's softmax."""

import math

import torch
from toy_problems import batch, conv_net
from training_helpers import last_state, same, train

from rofit import diagnostics
from rofit.attacks.pgd import PGD
from rofit.diagnostics.view import EpochView, Split
from rofit.settings.spec import RunSpec
from rofit.settings.threat import ThreatModel

ATTACK = PGD(ThreatModel("linf", 0.1), 3, 0.05)


def view_of(logits=None, *, y=None, true=None, redrawn=None, labels=None, **changes):
    """Return a view of small random images, 3 classes; the net is in train mode.

    logits: by (split, attack); y: classes by split; true: of the training images;
    changes: epoch and fields of the spec.
    """
    epoch = changes.pop("epoch", 1)
    y = y or {"train": batch(20, seed=1)[1], "test": batch(12, seed=2)[1]}
    splits = {}
    for number, (name, given) in enumerate(y.items()):
        x = batch(len(given), seed=10 + number)[0]
        truth = given if true is None or name != "train" else true
        splits[name] = Split(lambda n, x=x: x[:n], given, truth)
    none = torch.zeros(len(y.get("train", ())), dtype=torch.bool)
    net = conv_net()
    return EpochView(
        spec=RunSpec(**changes),
        epoch=epoch,
        model=net,
        network=conv_net().eval(),
        attack=ATTACK,
        splits=splits,
        redrawn=none if redrawn is None else redrawn,
        labels=labels,
        initial={},
        logits_at_hand=dict(logits or {}),
    )


def random_logits(n, n_classes, *, scale=2.0, seed=0):
    """Return float32 logits (n, K), as the learning curves keep them, and classes."""
    stream = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(n, n_classes, generator=stream)
    return logits, torch.randint(n_classes, (n,), generator=stream)


def softmax(row):
    """Return the probabilities of one image's logits, in Python's floats."""
    highest = max(row)
    powers = [math.exp(z - highest) for z in row]
    return [power / math.fsum(powers) for power in powers]


def assert_watching_changes_nothing(name, kind, spec, root, monkeypatch):
    """Train with and without a diagnostic; return the folder of the run with it."""
    monkeypatch.setitem(diagnostics.DIAGNOSTICS, name, kind)
    watched, _ = train(spec, root / "watched", diagnostics=(name,))
    alone, _ = train(spec, root / "alone", diagnostics=())
    one, other = last_state(watched), last_state(alone)
    for key in ("model", "optimizer", "labels", "best"):
        same(one[key], other[key], key)
    return watched
