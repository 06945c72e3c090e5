"""Maps of one set of images at several epochs: scikit-learn's own, laid on another."""

import numpy as np
import pytest
from sklearn.manifold import TSNE

from rofit.measures.tsne import aligned_maps


def _arc(n=60, seed=0):
    """Return points along an arc, on their principal axes: neighbours are plain."""
    t = np.linspace(0, 4, n)
    rows = np.stack([3 * np.cos(t), 2 * np.sin(t), t / 2], axis=1)
    rows = rows + 1e-3 * np.random.default_rng(seed).normal(size=rows.shape)
    rows = rows - rows.mean(axis=0)
    axes = np.linalg.svd(rows, full_matrices=False)[2]
    return (rows @ axes.T).astype(np.float32)


def _mirrored(rows):
    """Return the same distances, the signs of the first two axes the other way."""
    return rows * np.array([-1, -1, 1], dtype=np.float32)


def _moved(one, other) -> float:
    """Return how far an image is from its place, in standard deviations of the map."""
    return float(np.linalg.norm(one - other, axis=1).mean() / np.sqrt(_spread(other)))


def _spread(places) -> float:
    return float(places.var(axis=0).sum())


def _direct(rows, perplexity, seed=0, **changes):
    """Return scikit-learn's map from two components of standard deviation 1e-4."""
    first = rows[:, :2] - rows[:, :2].mean(axis=0)
    # to the last bit: maps of few points differ after a rounding
    options = {"init": first / first.std(axis=0)[0] * 1e-4} | changes
    model = TSNE(perplexity=perplexity, random_state=seed, **options)
    places = model.fit_transform(rows)
    return places - places.mean(axis=0)


@pytest.fixture(scope="module")
def arc():
    return _arc()


@pytest.fixture(scope="module")
def maps(arc):
    """Of the arc at two epochs, and of its mirror image at the first of three."""
    return aligned_maps({1: _mirrored(arc), 2: arc, 5: arc})


@pytest.mark.parametrize(
    ("n", "perplexity"), [(60, 59 / 3), (25, 8.0), (100, 30), (4, 1.0)]
)
def test_map_of_the_last_epoch_is_that_of_scikit_learn(n, perplexity):
    rows = _arc(n)
    embeddings = aligned_maps({3: rows})
    assert list(embeddings) == [3] and embeddings[3].shape == (n, 2)
    np.testing.assert_array_equal(embeddings[3], _direct(rows, perplexity))


def test_place_of_the_features_and_their_scale_do_not_matter_to_the_start(arc):
    embedding = aligned_maps({3: 8 * arc + 1})[3]
    expected = _direct(8 * arc + 1, 59 / 3)
    np.testing.assert_array_equal(embedding, expected)
    assert _spread(embedding) > 1


def test_last_epoch_is_mapped_first_and_the_others_begin_where_it_ended(arc, maps):
    np.testing.assert_array_equal(maps[5], _direct(arc, 59 / 3))
    on = {"early_exaggeration": 1.0, "learning_rate": 50.0}
    second = _direct(arc, 59 / 3, init=maps[5], **on)
    np.testing.assert_array_equal(maps[2], second)
    first = _direct(_mirrored(arc), 59 / 3, init=maps[2], **on)
    np.testing.assert_array_equal(maps[1], first)


def test_same_features_keep_their_places(maps):
    assert _moved(maps[2], maps[5]) < 0.2
    assert _moved(maps[2][::-1], maps[5]) > 1, "other images stand elsewhere"


def test_signs_of_components_do_not_turn_an_earlier_map_round(arc, maps):
    assert _moved(maps[1], maps[5]) < 0.2
    alone = aligned_maps({1: _mirrored(arc)})[1]
    assert _moved(alone, maps[5]) > 1, "a map that begins for itself is turned round"


def test_features_that_have_changed_move_their_images(arc, maps):
    shuffled = arc[np.random.default_rng(1).permutation(len(arc))]
    embeddings = aligned_maps({2: shuffled, 5: arc})
    np.testing.assert_array_equal(embeddings[5], maps[5])
    assert _moved(embeddings[2], maps[5]) > 0.5


def test_maps_are_centred_and_in_float32(maps):
    for places in maps.values():
        assert places.dtype == np.float32 and np.isfinite(places).all()
        assert np.abs(places.mean(axis=0)).max() < 1e-4 * np.sqrt(_spread(places))


def test_order_of_the_epochs_and_a_second_call_change_nothing(arc, maps):
    again = aligned_maps({5: arc, 1: _mirrored(arc), 2: arc})
    assert set(again) == set(maps)
    for epoch, places in maps.items():
        np.testing.assert_array_equal(again[epoch], places)


def test_features_are_left_as_they_were():
    rows = _arc(10)
    before = rows.copy()
    aligned_maps({1: rows, 2: rows})
    np.testing.assert_array_equal(rows, before)


def test_images_that_are_all_the_same_have_a_map():
    embedding = aligned_maps({1: np.ones((8, 3), dtype=np.float32)})[1]
    assert np.isfinite(embedding).all()
