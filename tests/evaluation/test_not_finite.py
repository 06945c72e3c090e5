"""Networks whose logits or gradients are no numbers: a sentence, and no accuracy."""

import pytest
import torch
from evaluated_digits import RADII, digit_images, make_case, trained, verdicts
from torch import nn

from rofit.attacks.pgd import PGD
from rofit.evaluation.accuracy import measure_accuracy
from rofit.evaluation.autoattack import ORDER
from rofit.evaluation.cases import ATTACKS, WITHOUT_DLR
from rofit.evaluation.finite import NotFinite
from rofit.evaluation.masking import probe
from rofit.evaluation.verdicts import unattacked
from rofit.settings.threat import ThreatModel

LOGITS = "logits are not finite for {n} of 8 images: the weights have diverged"
LIBRARY = (*ORDER, "autoattack", WITHOUT_DLR)


class Changed(nn.Module):
    """A trained net whose logits are changed by a function of them and the images."""

    def __init__(self, change):
        super().__init__()
        self.net, self.change = trained(), change

    def forward(self, x):
        return self.change(self.net(x.double()), x).float()


def one_bias(value):
    """Return a net with one number of the classifier's bias replaced."""

    def change(logits, x):
        bias = torch.zeros_like(logits[0])
        bias[3] = value
        return logits + bias

    return Changed(change)


def dark_only(logits, x):
    """Leave images above 0.5 at the first pixel without a number."""
    return torch.where((x[:, 0, 0, :1] > 0.5), torch.nan, logits)


def edged(logits, x):
    """Add nothing, by a root whose gradient at 0 is infinite, times 0: NaN."""
    return logits + (x * 0).flatten(1).sum(dim=1, keepdim=True).sqrt()


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("kind", ATTACKS)
def test_one_bias_that_is_no_number_stops_every_attack(kind, value):
    if kind in LIBRARY:
        pytest.importorskip("pyautoattack")
    case = make_case(kind, number={"pgd": 2, "cw": 2, "square": 5}.get(kind, 0))
    images, table = digit_images(8), unattacked(digit_images(8))
    with pytest.raises(NotFinite, match=LOGITS.format(n=8)):
        verdicts(case, one_bias(value), images, source=trained())
    assert (table["fooled_by"] == "").all()


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_one_bias_that_is_no_number_has_no_clean_and_no_robust_accuracy(value):
    images, net = digit_images(8), one_bias(value)
    attack = PGD(ThreatModel("linf", 0.1), 2, 0.05)
    for extra in ({}, {"attack": attack, "start": torch.zeros_like(images.x)}):
        with pytest.raises(NotFinite, match=LOGITS.format(n=8)):
            measure_accuracy(net, images.x, images.y, **extra)


def test_an_adversarial_example_without_logits_stops_the_evaluation():
    """Of clean digits no first pixel is above a half: the clean stage goes well."""
    images = digit_images(8)
    case = make_case("pgd", number=20, epsilon=0.9)
    net = Changed(dark_only)
    assert len(verdicts(make_case("clean"), net, images)) == 8
    with pytest.raises(NotFinite, match=r"logits are not finite for \d of \d images"):
        verdicts(case, net, images)


def test_probes_name_broken_logits_and_gradients_and_no_random_defence():
    images, threat = digit_images(8), ThreatModel("linf", RADII["linf"])
    with pytest.raises(NotFinite, match=LOGITS.format(n=8)):
        probe(one_bias(torch.nan), images, threat)
    warnings = probe(Changed(edged), images, threat)
    assert "zero or NaN in 100% of images" in warnings["zero_gradients"]
    assert not warnings["random_predictions"]
