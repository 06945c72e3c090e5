"""Labels of mixed images against a loop over images and classes."""

import torch

from rofit.labels.fixed import Smoothed
from rofit.labels.mixed import Mixed

K, N = 4, 7
Y = torch.tensor([2, 0, 3, 1, 2, 0, 1])


def _draw(epoch):
    """Return other partners and shares in every epoch, those of Mixup's kind."""
    stream = torch.Generator().manual_seed(epoch)
    partner = torch.randperm(N, generator=stream)
    return {"partner": partner, "share": torch.rand(N, generator=stream)}


def _slow(index, labels, epoch):
    drawn, rows = _draw(epoch), []
    for i in index.tolist():
        j, share = drawn["partner"][i].item(), drawn["share"][i].item()
        one, other = labels(i), labels(j)
        rows.append([share * one[k] + (1 - share) * other[k] for k in range(K)])
    return torch.tensor(rows)


def test_labels_are_those_of_both_images_by_their_shares():
    rho, index = 0.4, torch.tensor([5, 0, 3])
    rule = Mixed(Smoothed(K, rho), Y, _draw)
    hard = [[float(k == y) for k in range(K)] for y in Y.tolist()]
    soft = [[(1 - rho) * v + rho / K for v in row] for row in hard]
    for epoch in (0, 3):
        rule.begin_epoch(epoch, 5)
        current = rule.current(index, Y[index])
        torch.testing.assert_close(current, _slow(index, soft.__getitem__, epoch))
        given = rule.mix(Smoothed(K).current, index, Y[index])
        torch.testing.assert_close(given, _slow(index, hard.__getitem__, epoch))
        assert torch.equal(rule.refine(index, Y[index], current, None), current)
        assert torch.allclose(current.sum(dim=1), torch.ones(3))


def test_labels_of_single_images_are_the_other_rules():
    other = Smoothed(K, 0.4)
    rule = Mixed(other, Y, _draw)
    rule.begin_epoch(0, 5)
    index = torch.arange(N)
    assert torch.equal(rule.unmixed(index, Y), other.current(index, Y))
    assert not torch.equal(rule.unmixed(index, Y), rule.current(index, Y))
    assert torch.equal(other.unmixed(index, Y), other.current(index, Y))


def test_images_are_mixed_from_the_first_epoch_on_and_on_the_same_memory():
    """A captured step reads the epoch's partners and shares where they were."""
    rule, index = Mixed(Smoothed(K), Y, _draw), torch.arange(N)
    assert torch.equal(rule.current(index, Y), rule.unmixed(index, Y))
    places = rule.partner.data_ptr(), rule.share.data_ptr()
    rule.begin_epoch(0, 5)
    first = rule.current(index, Y)
    rule.begin_epoch(1, 5)
    assert (rule.partner.data_ptr(), rule.share.data_ptr()) == places
    assert not torch.equal(rule.current(index, Y), first)
