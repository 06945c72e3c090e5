"""Four epochs on the digits end where those of one process do, but for rounding."""

from functools import partial

import pytest
from gloo import on_ranks
from rounding import all_trained, largest_apart

METHODS = ("pgd_at", "te")


@pytest.fixture(scope="module", params=[True, False], ids=["float64", "float32"])
def double(request):
    """Whether numbers are float64."""
    return request.param


@pytest.fixture(scope="module")
def alone(double):
    """The weights of one process."""
    return all_trained(METHODS, [0], double)


def _is_rounding(apart, double):
    """Check the differences after 1, 4 and 16 steps, by method.

    In float32 after one step alone: 1e-7, and 1e-4 where rounding has turned the sign
    of an activation, which training carries on; gradients of one part are 8e-3 away.
    """
    for one_step, _, four_epochs in apart.values():
        assert one_step < (1e-14 if double else 1e-3)
        assert not double or four_epochs < 1e-12


@pytest.mark.parametrize("count", [2, 4])
def test_split_runs_end_where_one_process_does(tmp_path, alone, double, count):
    work = partial(all_trained, METHODS, [0], double)
    first, *others = on_ranks(count, work, tmp_path)
    _is_rounding(largest_apart(first, alone), double)
    for other in others:
        for numbers in largest_apart(first, other).values():
            assert numbers == [0, 0, 0]


def test_batches_backwards_end_at_the_same_weights_as_well(alone, double):
    """What the docs hold split runs against: the same sums in another order."""
    backwards = all_trained(METHODS, [0], double, backwards=True)
    apart = largest_apart(backwards, alone)
    _is_rounding(apart, double)
    assert all(max(numbers) > 0 for numbers in apart.values())
