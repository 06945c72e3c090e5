"""t-SNE maps of one set of images at several epochs, laid on one another. No torch."""

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE

Points = NDArray[np.float32]
PERPLEXITY = 30
_SPREAD = 1e-4  # standard deviation at which scikit-learn begins


def aligned_maps(features: dict[int, Points], seed: int = 0) -> dict[int, Points]:
    """Return epoch -> map (n, 2) of the same n images.

    The last epoch's map begins from its first two principal components, each earlier
    one from its successor's result, so that an image keeps its place where the features
    allow it. scikit-learn's TSNE, Euclidean, perplexity 30 (a third of n - 1 where that
    is less). Axes and distances between clusters have no meaning; see van der Maaten
    and Hinton 2008.

    Args:
        features: epoch -> (n, c), principal components in the order of falling
            variance, c at least 2.
        seed: of the optimisation.
    """
    found: dict[int, Points] = {}
    start = None
    for epoch in sorted(features, reverse=True):
        rows = features[epoch]
        start = rows[:, :2] if start is None else start
        scale = start.std(axis=0)[0] or 1.0
        found[epoch] = TSNE(
            perplexity=min(PERPLEXITY, (len(rows) - 1) / 3),
            init=(start - start.mean(axis=0)) / scale * _SPREAD,
            random_state=seed,
        ).fit_transform(rows)
        start = found[epoch]
    return found
