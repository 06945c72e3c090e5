"""Class-balanced training, validation and test images out of a data set's two parts.

Validation comes first out of the seeded order, so that its images stay the same for
every training size, and a smaller training set is always the beginning of a larger one.
"""

from dataclasses import dataclass

import numpy as np

from rofit.data.images import Dataset, Images, Index, Labels
from rofit.errors import UserError


@dataclass(frozen=True, eq=False)
class Splits:
    """The images of one run, and where they stood in the published parts.

    Attributes:
        train: training images.
        val: validation images, taken from the training part; may be empty.
        test: test images.
        train_index: int64 (len(train),), positions in the data set's training part.
        val_index: int64 (len(val),), positions in the data set's training part.
        test_index: int64 (len(test),), positions in the data set's test part.
    """

    train: Images
    val: Images
    test: Images
    train_index: Index
    val_index: Index
    test_index: Index


def split(
    dataset: Dataset, *, train_size: int, val_size: int, test_size: int, data_seed: int
) -> Splits:
    """Return class-balanced parts of the given sizes, a function of *data_seed*.

    Both published parts are put in a stratified order (see `stratified_order`), each
    with its own random stream. Validation is the first `val_size` of the training
    order, training the next `train_size`; test the first `test_size` of the test order.

    Args:
        dataset: where the images come from.
        train_size: number of training images, 0 for all that validation leaves.
        val_size: number of validation images, 0 for none.
        test_size: number of test images, 0 for all.
        data_seed: seed of both orders.

    Raises:
        UserError: if a size is negative, there are too few images, or validation leaves
            none for training.
    """
    # Imported here because rofit.seeding imports torch.
    from rofit.seeding import numpy_rng

    sizes = {"train_size": train_size, "val_size": val_size, "test_size": test_size}
    _check_sizes(dataset, sizes)
    order = stratified_order(dataset.train.labels, numpy_rng(data_seed, "split"))
    test = stratified_order(dataset.test.labels, numpy_rng(data_seed, "split", "test"))
    val_index, rest = order[:val_size], order[val_size:]
    train_index = rest[: train_size or None]
    test_index = test[: test_size or None]
    return Splits(
        train=dataset.train.take(train_index),
        val=dataset.train.take(val_index),
        test=dataset.test.take(test_index),
        train_index=train_index,
        val_index=val_index,
        test_index=test_index,
    )


def stratified_order(labels: Labels, rng: np.random.Generator) -> Index:
    """Return all positions (N,), shuffled within each class, classes taking turns.

    Any beginning of the order is balanced to one image a class until a class runs out.

    Args:
        labels: int64 (N,), class indices.
        rng: the stream that shuffles.
    """
    shuffled = rng.permutation(len(labels)).astype(np.int64)
    shuffled_labels = labels[shuffled]
    by_class = np.argsort(shuffled_labels, kind="stable")
    counts = np.unique(shuffled_labels, return_counts=True)[1]
    # The turn of an image: how many of its class come before it in the shuffle.
    turn = np.empty(len(labels), dtype=np.int64)
    turn[by_class] = np.arange(len(labels)) - np.repeat(
        np.cumsum(counts) - counts, counts
    )
    order: Index = shuffled[np.lexsort((shuffled_labels, turn))]
    return order


def _check_sizes(dataset: Dataset, sizes: dict[str, int]) -> None:
    """Raise UserError unless the parts of *dataset* can give *sizes*."""
    for field, size in sizes.items():
        if size < 0:
            raise UserError(f"{field} must be 0 or more, got {size}; 0 asks for all")
    n_train, n_test = len(dataset.train), len(dataset.test)
    train, val, test = sizes["train_size"], sizes["val_size"], sizes["test_size"]
    if max(train, 1) + val > n_train:
        minimum = f"train_size {train:,}" if train else "at least 1 training image"
        raise UserError(
            f"{minimum} and val_size {val:,} must fit into the {n_train:,} training "
            f"images of {dataset.shown_as}, got {max(train, 1) + val:,}; lower one"
        )
    if test > n_test:
        raise UserError(
            f"test_size must be at most {n_test:,}, the test images of "
            f"{dataset.shown_as}, got {test:,}; lower it, or 0 for all"
        )
