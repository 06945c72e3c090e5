"""The data set that needs no download: scikit-learn's digits."""

import numpy as np

from rofit.data.images import Dataset, Images
from rofit.data.splits import stratified_order

_N_TEST = 500


def load_digits() -> Dataset:
    """Return 1,297 + 500 digits of 8x8 pixels, grey levels 0..16 spread over 0..255.

    scikit-learn has one part only; the test part is a fixed 50 images of every class.
    """
    # Imported here for speed, and because rofit.seeding imports torch.
    from sklearn import datasets

    from rofit.seeding import numpy_rng

    bunch = datasets.load_digits()
    pixels = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[:, None]
    images = Images(pixels, bunch.target.astype(np.int64))
    order = stratified_order(images.labels, numpy_rng(0, "digits"))
    return Dataset(
        name="digits",
        shown_as="digits",
        classes=tuple(str(label) for label in bunch.target_names),
        train=images.take(np.sort(order[_N_TEST:])),
        test=images.take(np.sort(order[:_N_TEST])),
    )
