"""Data sets by name: the digits, unknown names, and the list of what is there."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from rofit.data.datasets import DATASETS, describe, load
from rofit.errors import UserError


def test_digits_are_scikit_learns_in_a_fixed_balanced_split():
    digits = load("digits", root=Path("nowhere"))
    grey = np.concatenate([digits.train.pixels, digits.test.pixels])[:, 0]
    levels = np.rint(np.arange(17) * 255 / 16).astype(np.uint8)
    expected = levels[load_digits().images.astype(int)]
    assert sorted(map(bytes, grey)) == sorted(map(bytes, expected))
    assert (len(digits.train), len(digits.test)) == (1297, 500)
    assert np.bincount(digits.test.labels).tolist() == [50] * 10
    assert (digits.channels, digits.image_size, digits.n_classes) == (1, (8, 8), 10)
    assert (grey.min(), grey.max()) == (0, 255)


def test_digest_of_digits_is_frozen():
    # Runs on digits are told apart by it: it may change with the data only.
    assert load("digits", root=Path("nowhere")).digest == "d473c3ffc946"


def test_unknown_name_lists_the_nearest(tmp_path):
    with pytest.raises(
        UserError, match="unknown data set 'cifar'; did you mean cifar10"
    ):
        load("cifar", root=tmp_path)


def test_description_says_what_is_there_and_how_to_get_the_rest(tmp_path):
    for file in DATASETS["mnist"].files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    rows = {row.name: row for row in describe(tmp_path)}
    assert list(rows) == list(DATASETS)
    assert {name for name, row in rows.items() if row.present} == {"digits", "mnist"}
    assert rows["digits"].where == "scikit-learn"
    assert rows["cifar10"].where == str(tmp_path / "cifar-10-batches-py")
    assert rows["cifar10"].how.startswith(
        "rofit data cifar10 --fetch, or put cifar-10-"
    )
    assert rows["svhn"].size == "73,257 + 26,032 images, 3x32x32, 10 classes"
