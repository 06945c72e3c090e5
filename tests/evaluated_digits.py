"""A trained net, test digits, and the verdicts of an evaluation on them."""

from functools import cache

import torch
from torch import nn
from training_helpers import digits, digits_net

from rofit.evaluation.cases import Case
from rofit.evaluation.stages import make_stages
from rofit.evaluation.verdicts import EvaluationImages, run_stages, unattacked

# Of the first 64 test digits, attacks leave between 20 and 80 % inside these.
RADII = {"linf": 0.07, "l2": 0.42}


class Doubled(nn.Module):
    """A float64 net behind float32 images and logits: no rounding flips a verdict.

    Attributes:
        n_classes: that there are logits of.
    """

    def __init__(self, net, n_classes=10):
        super().__init__()
        self.net, self.n_classes = net, n_classes

    def forward(self, x):
        return self.net(x.double())[:, : self.n_classes].float()


class Sizes(nn.Module):
    """A network that notes the sizes of its batches."""

    def __init__(self, net):
        super().__init__()
        self.net, self.sizes = net, []

    def forward(self, x):
        self.sizes.append(len(x))
        return self.net(x)


@cache
def trained(seed=0):
    """Return a float64 net in eval mode without parameters that require gradients."""
    net = digits_net(width=16, blocks=(1,), steps=150, seed=seed)
    return net.double().eval().requires_grad_(False)


def digit_images(n, *, n_classes=10, dtype=torch.float32):
    """Return the first *n* test digits of the first classes, with their positions."""
    x, y = digits("test")
    index = (y < n_classes).nonzero().flatten()[:n]
    return EvaluationImages(x[index].to(dtype), y[index], index.tolist())


def pick(images, rows):
    """Return some of the images, in that order."""
    return EvaluationImages(
        images.x[rows], images.y[rows], [images.index[i] for i in rows]
    )


def make_case(kind, norm="linf", *, number=0, restarts=1, epsilon=None, n=64, seed=0):
    """Return a case inside this file's radius, by steps of a quarter of it."""
    epsilon = RADII[norm] if epsilon is None else epsilon
    source = "ab12" if kind == "transfer" else ""
    step = epsilon / 4
    return Case(kind, number, restarts, norm, epsilon, step, n, seed, source)


def verdicts(case, net, images, *, chunk=64, n_classes=10, **options):
    """Return the table of a whole evaluation, by position."""
    stages = make_stages(case, net, n_classes=n_classes, **options)
    table = unattacked(images)
    done = run_stages(
        stages, net, case.threat, images, table, chunk=chunk, after=lambda *_: False
    )
    assert done
    return table.set_index("index").sort_index()


def left(table):
    """Return which images nothing has fooled: bool (n,)."""
    return (table["fooled_by"] == "").to_numpy()
