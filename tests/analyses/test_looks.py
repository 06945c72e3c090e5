"""How methods look: ours by the table, one of a user's own by its name."""

import math
import re
from dataclasses import replace
from itertools import combinations

import pytest
from matplotlib.colors import to_rgb
from random_tables import OWN, random_table
from rofit.analyses import table8_cost
from rofit.figures._style import LABELS, Look, in_order, look_of, method_label
from rofit.figures._style import METHODS as LOOKS

from rofit.methods import METHODS
from rofit.reproduction import catalog

COMPARING = [  # methods by name
    name
    for name in catalog.analysis_names()
    if "pgd_at" in getattr(catalog.load_analysis(name), "METHODS", ())
]
NAMES = [
    f"{word}_{number}" for word in ("focal_at", "mine", "x") for number in range(60)
]


def _cielab(color: str) -> tuple[float, float, float]:
    """Return CIE 1976 L*a*b*, in which a distance of 2 can just be seen."""
    linear = [
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
        for v in to_rgb(color)
    ]
    rows = (0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505)
    xyz = [sum(a * v for a, v in zip(row, linear, strict=True)) for row in rows]
    x, y, z = (
        t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116
        for t in (xyz[0] / 0.95047, xyz[1], xyz[2] / 1.08883)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _apart(one: str, other: str) -> float:
    return math.dist(_cielab(one), _cielab(other))


def test_every_method_of_ours_has_a_look_of_its_own():
    assert LOOKS.keys() <= METHODS.keys() and LOOKS.keys() == set(table8_cost.METHODS)
    labels, colors, *_ = zip(*LOOKS.values(), strict=True)
    for looks in (labels, colors):
        assert len(set(looks)) == len(LOOKS), "labels and colours differ"
    assert all(look_of(name) is look for name, look in LOOKS.items())


@pytest.mark.parametrize("name", LOOKS)
def test_label_of_a_method_says_its_name(name):
    label = LOOKS[name].label
    words = set(re.findall(r"\w+", label.lower()))
    assert words >= set(name.split("_")) or label == "AT + symmetric CE"


def test_labels_that_are_compared_are_those_of_their_methods():
    assert LABELS == {
        "pgd_at": "given labels",
        "label_smoothing": "smoothed labels",
        "sgls": "SGLS",
        "sglr": "SGLR (our reading)",
    }


def test_look_of_a_users_method_is_its_names_everywhere():
    """Pinned: pictures of one method that are drawn elsewhere, or later, look alike."""
    assert look_of("focal_at") == Look("focal_at", "#9b45ed", "s")
    assert look_of("focal_at+sglr").label == "focal_at + SGLR (our reading)"
    assert look_of("focal_at+sglr").color != look_of("focal_at").color


@pytest.mark.parametrize("name", NAMES)
def test_colour_of_a_users_method_is_seen_beside_ours_on_white(name):
    look = look_of(name)
    ours = [other.color for other in LOOKS.values()]
    assert min(_apart(look.color, other) for other in (*ours, "white")) > 10
    greys = ("0.3", "0.5", "0.6")  # of the drops, levels and legends
    assert min(_apart(look.color, grey) for grey in greys) > 10
    assert look.marker in {other.marker for other in LOOKS.values()}
    assert look.label == name


def test_users_methods_hardly_ever_look_alike():
    looks = [look_of(name) for name in NAMES]
    alike = [
        _apart(one.color, other.color) < 5 and one.marker == other.marker
        for one, other in combinations(looks, 2)
    ]
    assert sum(alike) / len(alike) < 0.005


def test_methods_stand_in_our_order_and_then_by_name():
    shown = ["zebra", "sgls", "focal_at", "pgd_at", "sgls"]
    assert in_order(shown) == ["pgd_at", "sgls", "focal_at", "zebra"]


def test_composed_methods_are_named_by_their_parts():
    assert method_label("trades+sglr") == "TRADES + SGLR (our reading)"
    assert method_label("focal_at+awp") == "focal_at + AWP"


@pytest.mark.parametrize("name", COMPARING)
def test_users_method_beside_the_others_leaves_what_is_claimed_of_them(
    name, monkeypatch
):
    analysis, table = catalog.load_analysis(name), random_table(name)
    without = analysis.claims(table[table["method"] != OWN])
    monkeypatch.setattr(analysis, "METHODS", (*analysis.METHODS, OWN))
    assert OWN in {spec.method for spec in analysis.runs()}
    beside = [claim for claim in analysis.claims(table) if OWN not in claim.sentence]
    if name == "theorem1_information":  # its inequality is every network's, the user's
        assert beside[0].n > without[0].n  # too; the smallest is still one of ours
        beside[0] = replace(beside[0], n=without[0].n, spread=without[0].spread)
    assert beside == without
