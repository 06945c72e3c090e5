"""The embedding's numbers and components against scikit-learn, and by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_up_views import assert_watching_changes_nothing, view_of
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score
from sklearn.neighbors import KNeighborsClassifier
from training_helpers import digits, digits_net

from rofit import load_logs, load_samples
from rofit.diagnostics.embedding import (
    Embedding,
    components,
    distances,
    knn_accuracy,
    silhouette,
)
from rofit.diagnostics.view import Split

# BLAS and a loop add in another order
CLOSE = {"rel": 1e-12, "abs": 1e-13}


def _features(n=120, width=16, n_classes=3, *, apart=1.0, seed=0):
    """Return float64 features around a centre a class, and classes."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, n)
    centres = apart * rng.normal(size=(n_classes, width))
    rows = np.maximum(centres[y] + rng.normal(size=(n, width)), 0)
    return torch.from_numpy(rows), torch.from_numpy(y)


def _leave_one_out(features, y, k):
    """Return the k-NN accuracy of scikit-learn, a fit an image."""
    features, y = features.numpy(), y.numpy()
    hits = []
    for i in range(len(y)):
        rest = np.arange(len(y)) != i
        model = KNeighborsClassifier(n_neighbors=k, algorithm="brute")
        model.fit(features[rest], y[rest])
        hits.append(model.predict(features[[i]])[0] == y[i])
    return float(np.mean(hits))


def _on_a_line(*positions):
    return distances(torch.tensor(positions, dtype=torch.float64)[:, None])


@pytest.mark.parametrize("n", [1, 249, 250, 251, 600])
def test_distances_equal_scipys_also_across_chunks(n):
    features, _ = _features(n)
    actual = distances(features)
    np.testing.assert_allclose(actual, cdist(features, features), rtol=1e-12, atol=0)


def test_distances_of_close_rows_far_from_the_origin_are_not_rounded_away():
    distance = _on_a_line(1e6, 1e6 + 1e-3)[0, 1]
    assert distance.item() == pytest.approx(1e-3, rel=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("k", [1, 4, 20])
def test_knn_accuracy_equals_scikit_learns_with_each_image_left_out(k, n_classes):
    features, y = _features(n_classes=n_classes, apart=0.5)
    accuracy = knn_accuracy(distances(features), y, k=k)
    assert accuracy.item() == pytest.approx(_leave_one_out(features, y, k), **CLOSE)
    assert 0.1 < accuracy.item() < 0.95  # so that it could have been wrong


def test_equal_votes_are_won_by_the_smaller_class():
    # Each image sees the two others, which vote for one class each.
    assert knn_accuracy(_on_a_line(0, 1, 5), torch.tensor([0, 1, 2]), k=2) == 0
    assert knn_accuracy(_on_a_line(0, 1, 5), torch.tensor([1, 1, 2]), k=2) == 2 / 3
    assert knn_accuracy(_on_a_line(0, 1, 5), torch.tensor([2, 9, 2]), k=2) == 2 / 3


@pytest.mark.parametrize("classes", [[4, 4, 7], [4, 7, 4]])
def test_of_equally_distant_images_the_earlier_is_the_nearer(classes):
    accuracy = knn_accuracy(_on_a_line(0, 1, -1), torch.tensor(classes), k=1)
    # 0 sees image 1; images 1 and 2 see image 0.
    hits = [classes[0] == classes[i] for i in (1, 1, 2)]
    assert accuracy.item() == pytest.approx(sum(hits) / 3, **CLOSE)


def test_no_image_is_its_own_neighbour_even_among_duplicates():
    y = torch.tensor([0, 1] * 5)
    assert knn_accuracy(torch.zeros(10, 10).double(), y, k=1).item() == 0.4
    assert knn_accuracy(_on_a_line(0, 0, 9, 9), torch.tensor([0, 1, 0, 1]), k=1) == 0


def test_knn_accuracy_needs_more_images_than_neighbours():
    y = torch.zeros(3, dtype=torch.long)
    assert knn_accuracy(_on_a_line(0, 1, 2), y, k=3) is None
    assert knn_accuracy(_on_a_line(0, 1, 2), y, k=2) == 1


@pytest.mark.parametrize("apart", [0.0, 1.0, 30.0])
@pytest.mark.parametrize("n_classes", [2, 3, 40])
def test_silhouette_equals_scikit_learns(n_classes, apart):
    """Of 40 classes and 120 images some occur once, and some never."""
    features, y = _features(n_classes=n_classes, apart=apart)
    score = silhouette(distances(features), y)
    theirs = silhouette_score(features.numpy(), y.numpy())
    assert score.item() == pytest.approx(theirs, **CLOSE)


def test_silhouette_of_a_worked_example():
    score = silhouette(_on_a_line(0, 1, 3, 10), torch.tensor([5, 5, 8, 9]))
    # a, b of 0: 1, 3; of 1: 1, 2; the others are alone in their class.
    assert score.item() == pytest.approx((2 / 3 + 1 / 2) / 4, **CLOSE)


def test_silhouette_of_images_that_coincide_is_zero():
    y = torch.tensor([0, 0, 1, 1])
    assert silhouette(torch.zeros(4, 4).double(), y) == 0
    assert silhouette(_on_a_line(0, 0, 9, 9), y) == 1


@pytest.mark.parametrize("y", [[0, 0, 0], [2, 0, 1], [3]])
def test_silhouette_needs_two_classes_and_an_image_that_is_not_alone(y):
    assert silhouette(_on_a_line(*range(len(y))), torch.tensor(y)) is None


@pytest.mark.parametrize(("n", "width", "most"), [(120, 16, 5), (60, 40, 50)])
def test_components_equal_scikit_learns_with_their_signs(n, width, most):
    features, _ = _features(n, width)
    projections = components(features, most)
    pca = PCA(min(most, width), svd_solver="full").fit(features.numpy())
    axes = pca.components_
    largest = np.take_along_axis(axes, abs(axes).argmax(1)[:, None], axis=1)
    theirs = pca.transform(features.numpy()) * np.sign(largest).T
    np.testing.assert_allclose(projections, theirs, rtol=0, atol=1e-11)


def test_no_more_components_than_images_less_one():
    features, _ = _features(n=6, width=16)
    projections = components(features, 50)
    assert projections.shape == (6, 5)
    np.testing.assert_allclose(distances(projections), distances(features), rtol=1e-12)
    assert components(features[:1], 50).shape == (1, 0)


@pytest.mark.parametrize("axis", [[3.0, -4.0], [-3.0, 4.0], [-12.0, 5.0], [-1.0, -1.5]])
def test_largest_loading_of_an_axis_is_positive(axis):
    place = torch.tensor([-2.0, -1.0, 0.0, 3.0]).double()
    features = 7 + place[:, None] * torch.tensor(axis).double()
    sign = 1 if max(axis, key=abs) > 0 else -1
    projection = components(features, 1)[:, 0]
    np.testing.assert_allclose(projection, sign * math.hypot(*axis) * place, atol=1e-13)


@pytest.fixture(scope="module")
def network():
    return digits_net().eval()


def _view(network, n, *, classes=None):
    """Return a view whose test images are the first n of the digits."""
    x, y = digits("test")
    split = Split(lambda m: x[:m], y[:n], y[:n] if classes is None else classes)
    return replace(view_of(), network=network, splits={"test": split})


def _twin(network, n):
    """Return the features of the first n test images, one at a time, float64."""
    x, _ = digits("test")
    with torch.no_grad():
        rows = [network.features(x[i : i + 1]) for i in range(n)]
    return torch.cat(rows).double()


def _values(measured):
    return {row["metric"]: row["value"] for row in measured.rows}


def test_numbers_are_of_penultimate_features_of_the_first_clean_test_images(
    network, monkeypatch
):
    monkeypatch.setattr(Embedding, "IMAGES", 60)
    measured = Embedding().measure(_view(network, 80))
    features, y = _twin(network, 60), digits("test")[1][:60]
    assert _values(measured) == pytest.approx(
        {
            "knn_accuracy": _leave_one_out(features, y, 20),
            "silhouette": silhouette_score(features.numpy(), y.numpy()),
        },
        rel=1e-5,  # float32 features, batched otherwise
    )
    assert measured.rows[0].keys() == {"split", "attack", "n", "metric", "value"}
    about = {"split": "test", "attack": "none", "n": 60}
    assert all(about.items() <= row.items() for row in measured.rows)
    samples = measured.samples
    assert [samples[k].tolist() for k in ("position", "y")] == [
        [*range(60)],
        y.tolist(),
    ]
    columns = torch.stack([samples[f"component_{i:02d}"] for i in range(1, 51)], dim=1)
    assert len(samples) == 52 and columns.dtype == torch.float32
    np.testing.assert_allclose(columns, components(features, 50), rtol=0, atol=1e-4)


def test_network_without_named_features_is_not_measured_and_it_is_said(network):
    assert "no Classifier: it has no features" in Embedding().why_not(view_of())
    assert Embedding().why_not(_view(network, 30)) == ""


def test_classes_are_the_true_ones(network):
    classes = digits("test")[1][:60].flip(0)
    measured = Embedding().measure(_view(network, 60, classes=classes))
    twin = silhouette_score(_twin(network, 60).numpy(), classes.numpy())
    assert _values(measured)["silhouette"] == pytest.approx(twin, rel=1e-5)
    assert measured.samples["y"].tolist() == classes.tolist()


def test_as_few_images_as_neighbours_give_no_knn_accuracy(network):
    assert _values(Embedding().measure(_view(network, 20))).keys() == {"silhouette"}
    assert len(_values(Embedding().measure(_view(network, 21)))) == 2


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_features_that_are_not_finite_give_nothing(network, value, monkeypatch):
    whole = type(network).features

    def features(self, x):
        output = whole(self, x)
        output[-1, 0] = value
        return output

    monkeypatch.setattr(type(network), "features", features)
    assert Embedding().measure(_view(network, 30)) == ([], {})


def test_watching_the_embedding_changes_no_weight(smoke_spec, tmp_path, monkeypatch):
    spec = smoke_spec(method="sgls", epochs=5)
    folder = assert_watching_changes_nothing(
        "embedding", Embedding, spec, tmp_path, monkeypatch
    )
    store = folder.path.parent
    logs = load_logs(store)
    rows = logs[logs["metric"].isin(Embedding.columns)]
    assert set(rows["n"]) == {spec.test_size} and rows["value"].between(-1, 1).all()
    samples = load_samples(store, "embedding")
    for table in (rows, samples):
        assert table["epoch"].drop_duplicates().tolist() == [1, 2, 4, 5]
    assert len(samples) == 4 * spec.test_size
    width = 4 * spec.width  # of preact_small's features; below 50
    assert sum(c.startswith("component_") for c in samples) == width
