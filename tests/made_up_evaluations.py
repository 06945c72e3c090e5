"""Results and verdicts that no attack has made, and evaluations that hold them."""

import torch

from rofit.evaluation.verdicts import EvaluationImages, unattacked
from rofit.store.evaluations import EvaluationFolder

ONE = (1, 1)  # the only shard
RESULT = {
    "checkpoint": "last",
    "epoch": 2,
    "network": "ab12",
    "kind": "pgd",
    "attack": "pgd20",
    "norm": "linf",
    "epsilon": 8 / 255,
    "n": 4,
    "accuracy": 0.25,
    "after": {"clean": 0.75, "pgd20": 0.25},
}
AFTER = {"clean": 0.75, "apgd-ce": 0.5, "square": 0.25}
CASCADE = RESULT | {"attack": "autoattack", "after": AFTER}


def some(n):
    """Return n images of one pixel and classes, at scattered positions."""
    index = [7 * i % 101 for i in range(n)]
    return EvaluationImages(torch.zeros(n, 1, 1, 1), torch.arange(n) % 10, index)


def judged(images):
    """Return verdicts that tell every image apart."""
    stages = [1 + i % 3 for i in images.index]
    fooled = ["" if i % 2 else f"pgd20 {i}" for i in images.index]
    return unattacked(images).assign(stages=stages, fooled_by=fooled)


def finished(run, name="last-pgd20-1", result=RESULT, n=4):
    folder = EvaluationFolder(run, name)
    with folder.opened(ONE):
        folder.finish(judged(some(n)), result)
    return folder
