"""The check after an import: which normaliser, and is accuracy what it should be."""

import pytest
import torch
from torch import nn

from rofit.evaluation.finite import NotFinite
from rofit.interop.checkpoints.normalisers import NONE, Normaliser
from rofit.interop.checkpoints.selfcheck import check

SHIFT = Normaliser((0.5,), (0.5,))
# A hundred grey images; class 1 are the bright ones.
X = torch.linspace(0, 1, 100).view(100, 1, 1, 1)
Y = (X.flatten() > 0.5).long()


class Above(nn.Module):
    """Says class 1 above a threshold, on inputs that a normaliser makes of images."""

    def __init__(self, threshold, normaliser):
        super().__init__()
        self.threshold, self.normaliser = threshold, normaliser

    def forward(self, x):
        if self.normaliser.mean:
            x = (x - self.normaliser.mean[0]) / self.normaliser.std[0]
        margin = x.flatten(1).mean(1) - self.threshold
        return torch.stack([-margin, margin], 1)


def checked(threshold, candidates, **changes):
    usual = {"other": None, "keep": False, "claimed": None, "n_classes": 2}
    images = {"x": X, "y": Y}
    return check(lambda n: Above(threshold, n), candidates, **usual | images | changes)


def test_one_candidate_is_measured_and_taken():
    result = checked(0.5, [NONE])
    assert (result.normaliser, result.accuracy, result.n) == (NONE, {NONE: 1.0}, 100)
    assert result.remarks == []


@pytest.mark.parametrize(("threshold", "taken"), [(-0.01, SHIFT), (0.5, NONE)])
@pytest.mark.parametrize("turned", [False, True])
def test_of_two_candidates_the_accurate_one_is_taken(threshold, taken, turned):
    """Without normalisation a threshold below 0 says class 1 for all images."""
    candidates = [NONE, SHIFT][:: -1 if turned else 1]
    result = checked(threshold, candidates)
    assert result.normaliser == taken and result.accuracy[taken] == 1
    (remark,) = result.remarks
    assert (
        remark.startswith("normalisers were tried: ") and f"taken is {taken}" in remark
    )


def test_of_two_that_hardly_differ_the_likely_one_is_taken():
    assert checked(0.45, [NONE, Normaliser((0.05,), (1.0,))]).normaliser == NONE
    assert checked(0.45, [Normaliser((0.05,), (1.0,)), NONE]).normaliser != NONE


def test_alternative_is_tried_only_where_accuracy_is_far_below_what_is_claimed():
    assert checked(-0.01, [NONE], other=SHIFT).accuracy == {NONE: 0.5}
    assert checked(-0.01, [NONE], other=SHIFT, claimed=0.55).accuracy == {NONE: 0.5}
    result = checked(-0.01, [NONE], other=SHIFT, claimed=0.9)
    assert result.normaliser == SHIFT and result.accuracy == {NONE: 0.5, SHIFT: 1.0}
    assert len(result.remarks) == 1


def test_users_normaliser_is_kept_and_the_better_one_told():
    result = checked(-0.01, [NONE], other=SHIFT, claimed=0.9, keep=True)
    assert result.normaliser == NONE
    said, chance, tried = result.remarks
    assert said.startswith(
        "the file says a clean accuracy of 90.0%, and it is 50.0% on"
    )
    assert "100.0% with 0.5/0.5" in tried and "chance is 50.0%" in chance


def test_accuracy_at_chance_is_remarked_and_above_is_not():
    """Chance and three standard errors of a hundred images are 65 %."""
    (remark,) = checked(0.15, [NONE]).remarks
    assert remark.startswith("clean accuracy is 65.0% on 100 test images, and chance")
    assert checked(0.17, [NONE]).accuracy[NONE] > 0.65
    assert checked(0.17, [NONE]).remarks == []


def test_logits_that_are_not_finite_are_refused():
    with pytest.raises(NotFinite, match="logits are not finite for 100 of 100"):
        checked(float("nan"), [NONE])
