"""Probes for gradient masking by their numbers: radii, steps, shares and thresholds.

The networks are closed forms: how far each image is from another class is known.
"""

import pytest
import torch

from rofit.attacks.pgd import PGD
from rofit.evaluation import masking
from rofit.evaluation.masking import PROBES
from rofit.evaluation.verdicts import EvaluationImages
from rofit.losses import cross_entropy
from rofit.settings.threat import ThreatModel

THREAT = ThreatModel("linf", 8 / 255)


def _images(values: list[float], shape=(1, 1, 1)) -> EvaluationImages:
    """Return one image of each grey value, all of class 0."""
    x = torch.tensor(values).reshape(-1, 1, 1, 1).repeat(1, *shape)
    return EvaluationImages(
        x, torch.zeros(len(x), dtype=torch.long), list(range(len(x)))
    )


def _beyond(boundary: float, scale: float = 1.0):
    """Return a network that says class 1 where scale * mean(x) is over a boundary."""

    def network(x):
        over = scale * x.flatten(1).mean(dim=1) - boundary
        return torch.stack([-over, over], dim=1)

    return _module(network)


def _module(function) -> torch.nn.Module:
    class Closed(torch.nn.Module):
        def forward(self, x):
            return function(x)

    return Closed().eval()


def _grey_linf(distances: list[float]) -> EvaluationImages:
    return _images([0.99 - d for d in distances])


def _grey_l2(distances: list[float]) -> EvaluationImages:
    """Return images of 100 pixels: grey values that are 0.1 apart are 1 apart in l2."""
    return _images([(9.5 - d) / 10 for d in distances], shape=(1, 10, 10))


WIDE = {  # radius, a step between images, network, images so far from its boundary
    "linf": (128 / 255, 1 / 255, _beyond(0.99), _grey_linf),
    "l2": (8.0, 0.1, _beyond(9.5, scale=10.0), _grey_l2),
}


@pytest.mark.parametrize("norm", WIDE)
def test_wide_attack_reaches_to_its_radius_and_no_further(norm):
    radius, step, network, images_at = WIDE[norm]
    around = [radius + (k + 0.5) * step for k in range(-7, 5)]  # 5 of 12 are beyond
    threat = ThreatModel(norm, 0.01)
    text = PROBES["large_radius"](network, images_at(around), threat)
    assert f"inside {ThreatModel(norm, radius)}, " in text
    assert "pgd20 still leaves 42%" in text


@pytest.mark.parametrize("norm", WIDE)
def test_wide_attack_may_leave_two_images_in_a_hundred(norm):
    radius, step, network, images_at = WIDE[norm]
    for beyond, share in ((2, ""), (3, "leaves 3%")):
        places = [radius + step] * beyond + [radius - step] * (100 - beyond)
        text = PROBES["large_radius"](network, images_at(places), ThreatModel(norm, 1))
        assert share in text and bool(text) == bool(share)


@pytest.mark.parametrize("norm", WIDE)
def test_wide_attack_is_pgd20_on_the_cross_entropy_by_quarters_of_the_radius(
    norm, monkeypatch
):
    radius, step, network, images_at = WIDE[norm]
    made, calls = [], []

    class Noted(PGD):
        def __call__(self, model, x, loss, target, start):
            made.append((self.threat, self.steps, self.step_size, self.bn))
            calls.append((model, x, loss, target, start))
            return super().__call__(model, x, loss, target, start)

    monkeypatch.setattr(masking, "PGD", Noted)
    images = images_at([radius - step] * 9)
    PROBES["large_radius"](network, images, ThreatModel(norm, 0.01))
    assert made == [(ThreatModel(norm, radius), 20, radius / 4, "eval")]
    ((model, x, loss, target, start),) = calls
    assert model is network and loss is cross_entropy
    assert torch.equal(x, images.x) and torch.equal(target, images.y)
    order = float("inf") if norm == "linf" else 2
    lengths = torch.linalg.vector_norm(start.flatten(1), ord=order, dim=1)
    assert (lengths <= radius * (1 + 1e-6)).all() and lengths.max() > radius / 2
    assert len({float(length) for length in lengths}) == 9, "a start of its own"


@pytest.mark.parametrize(("flat", "share"), [(1, ""), (2, "in 2% of images")])
def test_one_image_in_a_hundred_may_have_no_gradient(flat, share):
    network = _module(lambda x: torch.relu(x.flatten(1) - 0.5) * torch.tensor([1, 0]))
    images = _images([0.25] * flat + [0.75] * (100 - flat))
    text = PROBES["zero_gradients"](network, images, THREAT)
    assert share in text and bool(text) == bool(share)


@pytest.mark.parametrize(("steep", "share"), [(1, ""), (2, "in 2% of images")])
def test_one_image_in_a_hundred_may_saturate_the_softmax(steep, share):
    def network(x):
        grey = x.flatten(1)
        logit = grey * (1 + 1e4 * (grey.detach() > 0.5))
        return torch.cat([logit, -logit], dim=1)

    images = _images([0.75] * steep + [0.25] * (100 - steep))
    text = PROBES["saturated_softmax"](_module(network), images, THREAT)
    assert share in text and bool(text) == bool(share)
    assert not PROBES["zero_gradients"](_module(network), images, THREAT)


@pytest.mark.parametrize(("right", "share"), [(16, "accuracy is 16%"), (17, "")])
def test_chance_is_two_standard_errors_of_guessing_among_the_classes(right, share):
    """Of ten classes and 100 images: 10 % and twice 3 points."""
    network = _module(lambda x: torch.eye(10)[(x.flatten(1)[:, 0] > 0.5).long()])
    images = _images([0.25] * right + [0.75] * (100 - right))
    text = PROBES["clean_at_chance"](network, images, THREAT)
    assert share in text and bool(text) == bool(share)


@pytest.mark.parametrize(("apart", "random"), [(0.9e-4, False), (1.1e-4, True)])
def test_predictions_may_differ_by_a_ten_thousandth_of_the_largest(apart, random):
    passes = iter((0.0, 1.0))

    def network(x):
        return torch.tensor([[1.0, -4.0]]) * (1 + apart * next(passes))

    text = PROBES["random_predictions"](_module(network), _images([0.5]), THREAT)
    assert bool(text) == random


@pytest.mark.parametrize(
    ("answer", "warned"),
    [
        ([0.3, 0.7], True),
        ([0.3, 0.70009], True),
        ([0.3, 0.70011], False),
        ([-0.00009, 1.0], True),
        ([-0.00011, 1.00011], False),
    ],
)
def test_probabilities_are_what_sums_to_one_and_is_not_negative(answer, warned):
    network = _module(lambda x: torch.tensor([answer]).repeat(len(x), 1))
    text = PROBES["probabilities"](network, _images([0.5, 0.6]), THREAT)
    assert bool(text) == warned


def test_probes_look_at_the_first_128_images():
    batches = []

    def network(x):
        batches.append(x.detach().clone())
        return torch.cat([x.flatten(1), 1 - x.flatten(1)], dim=1)

    images = _images([k / 200 for k in range(200)])
    masking.probe(_module(network), images, THREAT)
    assert {len(x) for x in batches} == {128}
    assert torch.equal(batches[0], images.x[:128])
