"""t-SNE maps of one set of images at several epochs, laid on one another. No torch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE

Points = NDArray[np.float32]
PERPLEXITY = 30
_SPREAD = 1e-4  # standard deviation at which scikit-learn begins


def aligned_maps(features: dict[int, Points], seed: int = 0) -> dict[int, Points]:
    """Return epoch -> map (n, 2) of the same n images.

    The last epoch's map begins from its first two principal components, each earlier
    one at its successor's result and without early exaggeration, which would scatter
    it: so an image keeps its place where the features allow it. scikit-learn's TSNE,
    Euclidean, perplexity 30 (a third of n - 1 where that is less); then centred. Axes
    and distances between clusters have no meaning; see van der Maaten and Hinton 2008.

    Args:
        features: epoch -> (n, c), principal components in the order of falling
            variance, c at least 2.
        seed: of the optimisation.
    """
    maps: dict[int, Points] = {}
    options: dict[str, Any] = {}
    for epoch in sorted(features, reverse=True):
        rows = features[epoch]
        perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
        options = options or {"init": _initial_map(rows)}
        tsne = TSNE(perplexity=perplexity, random_state=seed, **options)
        embedding = tsne.fit_transform(rows)
        maps[epoch] = embedding - embedding.mean(axis=0)  # a map of few points drifts
        # what scikit-learn's auto took for the last epoch's map
        learning_rate = max(len(rows) / 48, 50.0)
        options = {
            "init": maps[epoch],
            "early_exaggeration": 1.0,
            "learning_rate": learning_rate,
        }
    return maps


def _initial_map(rows: Points) -> Points:
    """Return the first two components, small and centred, as scikit-learn's own."""
    first = rows[:, :2] - rows[:, :2].mean(axis=0)
    return first / (first.std(axis=0)[0] or 1.0) * _SPREAD
