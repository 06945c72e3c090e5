"""Information in an ensemble's weights about labels, and what mixing does to it."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def ensemble_information(p: Floats) -> Floats:
    """Return ``I(w; y | x) = H(mean_m p_m) - mean_m H(p_m)`` of each image, in nats.

    The weights w are those of one of M networks, each as probable; 0 where all agree,
    at most log M.

    Args:
        p: probabilities (M, n, K), rows summing to one.

    Returns:
        (n,), not below 0 beyond rounding.

    Example:
        >>> p = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
        >>> ensemble_information(p).round(4).tolist()
        [0.6931]
    """
    from scipy.special import entr  # its import takes a quarter of a second

    entropy_of_mean = entr(p.mean(axis=0)).sum(axis=-1)
    mean_entropy = entr(p).sum(axis=-1).mean(axis=0)
    return np.asarray(entropy_of_mean - mean_entropy)


def mixed(p: Floats, share: float) -> Floats:
    """Return ``share * p + (1 - share) * uniform`` over the last axis."""
    return share * p + (1 - share) / p.shape[-1]
