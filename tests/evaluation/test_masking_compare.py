"""Comparisons of attacks on made-up survivors, on both sides of every threshold."""

import pytest
import torch

from rofit.evaluation.masking import compare

N = 1000  # so that an image is a tenth of a point


def left(count, begin=0):
    """Return survivors: *count* of the N images from *begin* on."""
    position = torch.arange(N)
    return (begin <= position) & (position < begin + count)


def lost(weak, strong, base, fewer):
    """Return survivors of two attacks: *strong* leaves so many fewer images."""
    return {weak: left(base), strong: left(base - fewer)}


STRONGER = {
    ("pgd20", "pgd100"): ("more_steps_win", 10),
    ("pgd100", "pgd1000"): ("more_steps_win", 10),
    ("pgd20", "pgd20x5"): ("restarts_win", 10),
    ("pgd20", "square5000"): ("black_box_wins", 2),
    ("cw100", "square500"): ("black_box_wins", 2),
    ("fab-t", "square5000"): ("black_box_wins", 2),
    ("autoattack without square", "square in autoattack"): ("black_box_wins", 2),
    ("apgd-t", "transfer"): ("black_box_wins", 10),
}
BASES = [100, 333, 700, 999]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("pair", STRONGER, ids=" ".join)
def test_stronger_attack_that_wins_by_more_than_the_threshold_is_a_warning(pair, base):
    name, most = STRONGER[pair]
    (text,) = compare(lost(*pair, base, most + 1)).values()
    assert f"{(most + 1) / 10:.1f} points" in text and pair[0] in text
    assert pair[1] in text
    for fewer in (-50, 0, most - 1):
        assert compare(lost(*pair, base, fewer)) == {name: ""}


def test_attack_that_wins_by_the_threshold_itself_is_none():
    for pair, (name, most) in STRONGER.items():
        for base in range(20, N, 7):
            assert compare(lost(*pair, base, most)) == {name: ""}


@pytest.mark.parametrize("base", BASES)
def test_attack_that_costs_less_than_two_points_is_near_clean(base):
    for costs in (0, 19):
        text = compare(lost("none", "pgd20", base, costs))["robust_near_clean"]
        assert f"pgd20 costs {costs / 10:.1f} points of the clean accuracy" in text
    assert compare(lost("none", "pgd20", base, 21)) == {"robust_near_clean": ""}


def test_attack_that_costs_two_points_is_not_near_clean():
    for base in range(60, N, 7):
        assert compare(lost("none", "pgd20", base, 20)) == {"robust_near_clean": ""}


def test_black_box_that_costs_nothing_is_not_taken_for_robustness():
    for name in ("square5000", "transfer"):
        assert compare(lost("none", name, 900, 0)) == {}


def test_net_that_knows_nothing_is_not_near_clean():
    """Two points that are left are none that could be lost."""
    for few in (0, 19, 20):
        assert compare(lost("none", "pgd20", few, 0)) == {"robust_near_clean": ""}
    assert compare(lost("none", "pgd20", 21, 0))["robust_near_clean"]


def test_one_attack_near_clean_is_enough_beside_one_that_is_not():
    for names in (("fgsm", "pgd20"), ("pgd20", "fgsm")):
        survivors = {"none": left(900)} | dict(
            zip(names, (left(895), left(500)), strict=True)
        )
        assert names[0] in compare(survivors)["robust_near_clean"]


def test_black_box_is_measured_on_what_all_white_boxes_together_leave():
    """Square fools 30 images that PGD leaves, but C&W's margin fools those as well."""
    white = {"pgd20": left(500), "cw100": left(470)}
    assert compare(white | {"square5000": left(470)}) == {"black_box_wins": ""}
    assert compare(white | {"square5000": left(467)})["black_box_wins"]
    apart = {"pgd20": left(500), "square5000": left(500, begin=3)}
    text = compare(apart)["black_box_wins"]
    assert "0.3 points" in text, "as many are left, but not the same ones"


def test_black_box_that_wins_is_told_beside_one_that_does_not():
    white, weak = {"pgd20": left(500)}, left(800)
    for names in (("square5000", "transfer"), ("transfer", "square5000")):
        survivors = white | dict(zip(names, (left(450), weak), strict=True))
        assert names[0] in compare(survivors)["black_box_wins"]


def test_square_within_a_cascade_is_no_white_box():
    """What it fooled would else count as fooled by gradients."""
    survivors = {"apgd-ce+fab-t+square": left(450), "apgd-ce+fab-t": left(500)}
    survivors |= {"square in apgd-ce+fab-t+square": left(450)}
    text = compare(survivors)["black_box_wins"]
    assert "fools 5.0 points of images that apgd-ce+fab-t left" in text


def test_steps_that_win_once_are_told_though_still_more_win_nothing():
    survivors = {"pgd20": left(500), "pgd100": left(400), "pgd1000": left(395)}
    assert "pgd20" in compare(survivors)["more_steps_win"]


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("none",),
        ("pgd20",),
        ("pgd100",),
        ("pgd20x5",),
        ("square5000",),
        ("transfer",),
        ("square5000", "transfer"),
        ("fgsm", "pgd50"),
        ("pgd20", "pgd1000"),
        ("autoattack", "square5000"),
        ("none", "square5000", "transfer", "autoattack"),
    ],
    ids=lambda names: " ".join(names) or "nothing",
)
def test_check_is_absent_where_its_attacks_have_not_been_made(names):
    assert compare({name: left(500) for name in names}) == {}


def test_every_check_is_there_once_its_attacks_have_been_made():
    names = "none pgd20 pgd100 pgd20x5 square5000".split()
    warnings = compare({name: left(990 if name == "none" else 500) for name in names})
    checks = "robust_near_clean more_steps_win restarts_win black_box_wins"
    assert warnings == dict.fromkeys(checks.split(), "")
