"""Information in an ensemble's weights about labels, and what mixing does to it."""

import numpy as np
import pandas as pd
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

    Examples:
        >>> p = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
        >>> ensemble_information(p).round(4).tolist()
        [0.6931]
    """
    from scipy.special import entr  # its import takes a quarter of a second

    entropy_of_mean = entr(p.mean(axis=0)).sum(axis=-1)
    mean_entropy = entr(p).sum(axis=-1).mean(axis=0)
    return np.asarray(entropy_of_mean - mean_entropy)


def over_networks(pairs: "pd.Series[float]") -> Floats:
    """Return the jackknife's pseudo-values of a mean over pairs of networks.

    Their mean is the mean over pairs, and their standard error its own over networks:
    with M networks ``M * mean - (M - 1) * (mean of the pairs without the m-th)``. A
    bootstrap would draw a network twice, and copies of one network agree.

    Args:
        pairs: a number a pair, by the two networks' names: all pairs.

    Returns:
        (M,); of two networks the number itself, twice.

    Source: Arvesen, "Jackknifing U-statistics", 1969.

    Examples:
        >>> names = pd.MultiIndex.from_tuples([(0, 1), (0, 2), (1, 2)])
        >>> over_networks(pd.Series([1.0, 2.0, 3.0], names)).tolist()
        [0.0, 2.0, 4.0]
    """
    ones, others = (pairs.index.get_level_values(level) for level in (0, 1))
    networks = sorted({*ones, *others})
    whole, m = pairs.mean(), len(networks)
    if m < 3:
        return np.full(m, whole)
    without = [pairs[(ones != name) & (others != name)].mean() for name in networks]
    return np.asarray(m * whole - (m - 1) * np.array(without))


def mixed(p: Floats, share: float) -> Floats:
    """Return ``share * p + (1 - share) * uniform`` over the last axis."""
    return share * p + (1 - share) / p.shape[-1]
