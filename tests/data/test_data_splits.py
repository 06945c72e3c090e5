"""Splits against a round-robin of queues, and their promises about prefixes."""

from collections import Counter, deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rofit.data.images import Dataset, Images
from rofit.data.splits import split, stratified_order
from rofit.errors import UserError

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=60)


def _slow_order(labels: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Deal one image of every class in turn, until all queues are empty."""
    queues: dict[int, deque[int]] = {int(label): deque() for label in sorted(labels)}
    for position in rng.permutation(len(labels)):
        queues[int(labels[position])].append(int(position))
    order = []
    while any(queues.values()):
        order += [queue.popleft() for queue in queues.values() if queue]
    return order


def _dataset(n_train: int = 40, n_test: int = 20, n_classes: int = 4) -> Dataset:
    """Images that carry their own position in the pixels, classes in blocks."""

    def images(n: int) -> Images:
        pixels = np.arange(n, dtype=np.uint8).reshape(n, 1, 1, 1)
        return Images(pixels, np.sort(np.arange(n, dtype=np.int64) % n_classes))

    names = tuple("abcd"[:n_classes])
    return Dataset("toy", "toy", names, images(n_train), images(n_test))


@given(labels=LABELS, seed=st.integers(0, 99))
@settings(deadline=None, database=None, max_examples=60)
def test_stratified_order_equals_dealing_from_queues(labels, seed):
    given_labels = np.array(labels, dtype=np.int64)
    fast = stratified_order(given_labels, np.random.default_rng(seed))
    assert fast.tolist() == _slow_order(given_labels, np.random.default_rng(seed))
    assert fast.dtype == np.int64


@given(train=st.integers(0, 30), val=st.integers(0, 9), test=st.integers(0, 20))
@settings(deadline=None, database=None, max_examples=40)
def test_parts_are_disjoint_and_of_the_sizes_asked_for(train, val, test):
    dataset = _dataset()
    got = split(dataset, train_size=train, val_size=val, test_size=test, data_seed=3)
    assert len(got.train) == (train or 40 - val)
    assert (len(got.val), len(got.test)) == (val, test or 20)
    assert not set(got.train_index) & set(got.val_index)
    for images, index in (
        (got.train, got.train_index),
        (got.val, got.val_index),
        (got.test, got.test_index),
    ):
        assert len(set(index)) == len(index)
        assert images.pixels[:, 0, 0, 0].tolist() == index.tolist()
    np.testing.assert_array_equal(got.val.labels, dataset.train.labels[got.val_index])
    np.testing.assert_array_equal(got.test.labels, dataset.test.labels[got.test_index])


def test_every_part_is_balanced_to_one_image_a_class():
    got = split(_dataset(), train_size=18, val_size=10, test_size=7, data_seed=0)
    for images in (got.train, got.val, got.test):
        counts = Counter(images.labels.tolist())
        assert len(counts) == 4
        assert max(counts.values()) - min(counts.values()) <= 1


def test_validation_is_the_same_for_every_training_size():
    sizes = {"val_size": 8, "test_size": 4, "data_seed": 1}
    small = split(_dataset(), train_size=5, **sizes)
    large = split(_dataset(), train_size=0, **sizes)
    np.testing.assert_array_equal(small.val_index, large.val_index)
    np.testing.assert_array_equal(small.train_index, large.train_index[:5])
    np.testing.assert_array_equal(small.test_index, large.test_index)


def test_data_seed_decides_every_part():
    def indices(seed: int) -> list[list[int]]:
        got = split(_dataset(), train_size=9, val_size=9, test_size=9, data_seed=seed)
        return [i.tolist() for i in (got.train_index, got.val_index, got.test_index)]

    assert indices(0) == indices(0)
    assert all(one != other for one, other in zip(indices(0), indices(1), strict=True))


def test_equal_labels_do_not_give_training_and_test_one_order():
    dataset = _dataset(20, 20)
    got = split(dataset, train_size=0, val_size=0, test_size=0, data_seed=0)
    assert got.train_index.tolist() != got.test_index.tolist()


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ((-1, 0, 0), "train_size must be 0 or more, got -1"),
        ((0, -2, 0), "val_size must be 0 or more, got -2"),
        ((0, 0, -3), "test_size must be 0 or more, got -3"),
        ((35, 6, 0), "train_size 35 and val_size 6 must fit into the 40 .* got 41"),
        ((0, 40, 0), "at least 1 training image and val_size 40 must fit into the 40"),
        ((0, 0, 21), "test_size must be at most 20, .* of toy, got 21"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes, sentence):
    train, val, test = sizes
    with pytest.raises(UserError, match=sentence):
        split(_dataset(), train_size=train, val_size=val, test_size=test, data_seed=0)
