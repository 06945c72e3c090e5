"""Penultimate features of test images: how well classes are kept apart in them.

The paper's Figure 5 shows t-SNE pictures; in two dimensions a picture can say nearly
anything, so two numbers are measured where the picture's points come from. The
picture itself is drawn later, from the principal components that are kept here.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rofit.diagnostics.diagnostic import Column, EpochDiagnostic, Measured, Schedule
from rofit.diagnostics.view import EpochView, chunks
from rofit.evaluation.accuracy import CHUNK
from rofit.models.classifier import Classifier


class Embedding(EpochDiagnostic):
    """k-nearest-neighbour accuracy, silhouette and principal components of features.

    Features are the pooled activations (n, D) that the linear classifier reads, in eval
    mode and the run's precision, of the first 1,000 clean test images with their true
    classes. No number where features are not finite.

    Source: docs/diagnostics.md, "Embedding"; k = 20 is ours.
    Differs: 1,000 images instead of 2,000, which a run at small scale does not have.

    Samples, a row an image: ``position`` in the test part, ``y`` (true class), and
    ``component_01`` ... in the order of falling variance, see `components`.
    """

    columns: ClassVar[dict[str, Column]] = {
        "knn_accuracy": Column(
            "fraction", "leave-one-out k-NN accuracy of clean test features, k = 20"
        ),
        "silhouette": Column("-1 to 1", "mean silhouette of clean test features"),
    }
    cost: ClassVar[str] = "a forward pass on 1,000 images, their distances, a PCA"
    when: ClassVar[Schedule] = Schedule(4)
    IMAGES: ClassVar[int] = 1000
    NEIGHBOURS: ClassVar[int] = 20
    COMPONENTS: ClassVar[int] = 50

    def why_not(self, view: EpochView) -> str:
        """Return that a network of a loop that is not ours need not name its parts."""
        ours = isinstance(view.network, Classifier)
        return "" if ours else "the network is no Classifier: it has no features(x)"

    def measure(self, view: EpochView) -> Measured:
        """Return both numbers, and the components of each image."""
        network = view.network
        assert isinstance(network, Classifier), "why_not has checked this"
        x = view.clean("test", self.IMAGES)
        y = view.splits["test"].true[: len(x)]
        with torch.no_grad():
            slices = chunks(len(x), CHUNK[x.device.type])
            batches = [network.features(x[part]) for part in slices]
        features = torch.cat(batches).double()
        if not features.isfinite().all():  # the next step will stop the run
            return Measured([])
        distance = distances(features)
        knn = knn_accuracy(distance, y, k=self.NEIGHBOURS)
        values = {"knn_accuracy": knn, "silhouette": silhouette(distance, y)}
        common = {"split": "test", "attack": "none", "n": len(x)}
        samples = {"position": torch.arange(len(x), device=x.device), "y": y}
        projected = components(features, self.COMPONENTS).float().T.contiguous()
        samples |= {
            f"component_{i:02d}": row for i, row in enumerate(projected, start=1)
        }
        rows = [
            common | {"metric": metric, "value": value.item()}
            for metric, value in values.items()
            if value is not None
        ]
        return Measured(rows, samples)


def distances(features: Tensor) -> Tensor:
    """Return Euclidean distances (n, n) of rows (n, D), from their differences."""
    exact = "donot_use_mm_for_euclid_dist"  # a product loses those of close rows
    size = CHUNK[features.device.type]
    pieces = [features[part] for part in chunks(len(features), size)]
    return torch.cat([torch.cdist(c, features, compute_mode=exact) for c in pieces])


def knn_accuracy(distance: Tensor, y: Tensor, *, k: int) -> Tensor | None:
    """Return the share of images whose k nearest others vote for their class.

    Uniform votes; of classes with equal votes the smaller one wins, of others at equal
    distance the one that comes first is nearer.

    Args:
        distance: (n, n), symmetric.
        y: classes (n,).
        k: neighbours, the image itself not among them.

    Returns:
        A fraction, a scalar; None if there are fewer than k others.
    """
    if len(y) <= k:
        return None
    others = distance.clone().fill_diagonal_(torch.inf)
    nearest = others.sort(dim=1, stable=True).indices[:, :k]
    votes = F.one_hot(y[nearest]).sum(dim=1).double()
    # argmax alone does not promise the first of equals on every device
    after = torch.arange(votes.shape[1], device=y.device) / votes.shape[1]
    return ((votes - after).argmax(dim=1) == y).double().mean()


def silhouette(distance: Tensor, y: Tensor) -> Tensor | None:
    """Return the mean over all images of (b - a) / max(a, b).

    a is the mean distance to the others of the image's class, b the smallest mean
    distance to another class; 0 for an image that is alone in its class, and where
    a = b = 0. Source: Rousseeuw 1987, as scikit-learn's silhouette_score has it.

    Args:
        distance: (n, n), symmetric, zero on the diagonal.
        y: classes (n,).

    Returns:
        A number in [-1, 1], a scalar; None with one class, or with n of them.
    """
    members = F.one_hot(y).to(distance)
    members = members[:, members.sum(dim=0) > 0]
    counts = members.sum(dim=0)
    if not 1 < len(counts) < len(y):
        return None
    sums = distance @ members  # (n, classes that occur)
    own = members.bool()
    size = counts.expand_as(sums)[own]
    a = sums[own] / (size - 1).clamp_min(1)
    b = (sums / counts).masked_fill(own, torch.inf).amin(dim=1)
    scale = torch.maximum(a, b)
    lone = (size == 1) | (scale == 0)
    return torch.where(lone, 0.0, (b - a) / scale.masked_fill(lone, 1.0)).mean()


def components(features: Tensor, most: int) -> Tensor:
    """Return centred rows (n, D) on their principal axes, largest variance first.

    The largest loading of an axis is positive, which fixes signs.

    Returns:
        (n, c), not scaled; c = *most* or what n - 1 and D allow.
    """
    centred = features - features.mean(dim=0)
    axes = torch.linalg.svd(centred, full_matrices=False).Vh
    axes = axes[: max(0, min(most, len(features) - 1))]
    largest = axes.abs().argmax(dim=1, keepdim=True)
    return centred @ (axes * axes.gather(1, largest).sign()).T
