"""Figure 11 on made-up landscapes, its picture, and the pairs of runs it compares."""

from itertools import product

import pandas as pd
import pytest
from made_up_logs import saved, write_run
from matplotlib.colors import to_hex
from rofit.analyses import fig11_landscape as fig11
from rofit.figures import fig11_landscape as picture
from rofit.figures._style import METHODS as LOOKS

from rofit.measures.epochs import pairs
from rofit.settings.spec import RunSpec
from rofit.store.rows import load_logs

PLACES = [k / 4 for k in range(-4, 5)]
OFFSETS = [k * 8 / 3 for k in range(-3, 4)]
RISE = {  # of the loss at half a norm, by seed
    "pgd_at": [2.0, 2.4, 2.2],
    "label_smoothing": [1.0, 1.0, 1.0],
    "sgls": [3.0, 3.0, 3.0],
    "sglr": [1.0, 3.4, 2.2],
}
SLOPE = {  # along the gradient's sign and along random signs, at seed 1
    "pgd_at": (3.0, 0.5),
    "label_smoothing": (0.5, 0.5),
    "sgls": (0.1, 0.5),
    "sglr": (6.0, 0.0),
}
UNDECIDED = "not decidable at this scale"


def _around_weights(method, seed, a):
    """Return a valley that is tilted; the tilt is no rise."""
    return 1.5 + 4 * RISE[method][seed] * a * a - 0.3 * a


def _around_inputs(method, u, v, seed=1):
    along, across = SLOPE[method]
    along += 0.1 * (seed - 1)
    return 1 + along * u / 8 + across * v * v / 64 - 0.2 * v


def _rows(method, seed, epoch, more=0.0):
    about = {"split": "test", "epoch": epoch, "n": 128}
    weights = about | {"attack": "pgd5", "metric": "weight_loss"}
    inputs = about | {"attack": "none", "metric": "input_loss"}
    rows = [
        weights | {"a": a, "value": _around_weights(method, seed, a) + more * a}
        for a in PLACES
    ] + [
        inputs
        | {"u": u, "v": v, "value": _around_inputs(method, u, v, seed) - more * u}
        for u, v in product(OFFSETS, OFFSETS)
    ]
    return [*rows, about | {"attack": "pgd20", "metric": "loss", "value": 9.0}]


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> pd.DataFrame:
    root = tmp_path_factory.mktemp("fig11")
    for method, seed in product(RISE, (0, 1, 2)):
        rows = _rows(method, seed, 3, more=50.0) + _rows(method, seed, 6)
        write_run(root, RunSpec(method=method, seed=seed), rows)
    result = fig11.table(load_logs(root))
    assert list(result) == list(fig11.COLUMNS)
    return result.assign(scale="demo", data="digits")


def test_table_has_a_row_a_place_of_the_last_epoch(table):
    assert len(table) == 4 * 3 * (9 + 49)
    assert set(table["epoch"]) == {6} and set(table["n"]) == {128}
    keys = ["method", "seed", "surface"]
    for (method, seed, surface), rows in table.groupby(keys, observed=True):
        if surface == "weights":
            assert rows["a"].tolist() == PLACES and set(rows["attack"]) == {"pgd5"}
            assert rows[["u", "v"]].isna().all(axis=None)
            expected = [_around_weights(method, seed, a) for a in PLACES]
        else:
            assert rows["a"].isna().all() and set(rows["attack"]) == {"none"}
            uv = list(zip(rows["u"], rows["v"], strict=True))
            assert uv == list(product(OFFSETS, OFFSETS))
            expected = [_around_inputs(method, u, v, seed) for u, v in uv]
        assert rows["loss"].tolist() == pytest.approx(expected)


def test_claims_are_those_worked_out_by_hand(table):
    claims = fig11.claims(table)
    valleys, planes = claims[:3], claims[3:]
    # 2, 2.4 and 2.2, of which 1; 3; 1, 3.4 and 2.2 are taken
    assert [c.measured for c in valleys] == pytest.approx([1.2, -0.8, 0], abs=1e-12)
    assert valleys[0].spread == pytest.approx(0.2)
    assert [c.verdict for c in valleys] == ["holds", "fails", UNDECIDED]
    assert [c.measured for c in planes] == pytest.approx([2.5, 0, -0.4, 6], abs=1e-12)
    assert [c.spread for c in planes] == pytest.approx([0.1] * 4)  # reaches 0.25
    assert [c.verdict for c in planes] == ["holds", UNDECIDED, "fails", "holds"]
    methods = [claim.sentence.split(":")[0] for claim in claims]
    assert methods == [*list(RISE)[1:], *RISE] and {c.n for c in claims} == {3}


def test_threshold_is_none_at_full_size_too(table):
    claims = fig11.claims(table.assign(scale="paper", epoch=200))
    assert [claim.needed for claim in claims] == ["at least 0"] * 7
    assert [claim.verdict for claim in claims[:3]] == ["holds", "fails", UNDECIDED]


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_or_two_seeds_decide_nothing_at_any_size(table, seeds):
    few = table[table["seed"] < seeds]
    for rows in (few, few.assign(scale="paper", epoch=200)):
        claims = fig11.claims(rows)
        assert {(claim.n, claim.verdict) for claim in claims} == {(seeds, UNDECIDED)}


@pytest.mark.parametrize(
    ("kept", "counts"),
    [
        (lambda t: t["method"] != "sgls", [3, 0, 3, 3, 3, 0, 3]),
        (lambda t: t["method"] != "pgd_at", [0, 0, 0, 0, 3, 3, 3]),
        (lambda t: (t["method"] != "sglr") | (t["seed"] == 0), [3, 3, 1, 3, 3, 3, 1]),
        (lambda t: (t["method"] != "sglr") | (t["seed"] > 0), [3, 3, 2, 3, 3, 3, 2]),
        (lambda t: t["surface"] == "inputs", [0, 0, 0, 3, 3, 3, 3]),
    ],
)
def test_claim_without_its_runs_is_not_decidable(table, kept, counts):
    claims = fig11.claims(table[kept(table)])
    assert [claim.n for claim in claims] == counts
    assert {claim.verdict for claim in claims if claim.n < 3} == {UNDECIDED}


def test_pairs_are_runs_of_one_seed_in_the_order_of_seeds():
    rows = [("b", 5), ("a", 5), ("a", 3), ("b", 1), ("a", 1), ("c", 3), ("b", 1)]
    table = pd.DataFrame(rows, columns=["method", "seed"])
    table["epoch"], table["a"] = range(7), list("tuvwxyz")
    (first, one), (second, other) = pairs(table, "a", "b")
    assert (first.index.tolist(), one.index.tolist()) == ([4], [3, 6])
    assert (second.index.tolist(), other.index.tolist()) == ([1], [0])
    assert set(first["seed"]) == set(one["seed"]) == {1}
    assert set(first["method"]) == {"a"} and set(one["method"]) == {"b"}
    ((_, by_place), _) = pairs(table, "a", "b", "a")
    assert by_place.index.tolist() == ["w", "z"]
    assert pairs(table, "b", "c") == [] == pairs(table, "a", "nobody")


@pytest.fixture(scope="module")
def figure(table):
    """Drawn as publish does: from the saved table."""
    return picture.draw(saved(table))


def test_curves_are_means_over_seeds_along_the_weights(figure):
    curves = figure.axes[0]
    assert curves.get_ylabel() == "loss, PGD-5 (nats)"
    drawn = {to_hex(line.get_color()): line for line in curves.lines}
    assert set(drawn) == {LOOKS[method].color.lower() for method in RISE}
    for method in RISE:
        line = drawn[LOOKS[method].color.lower()]
        expected = [
            (_around_weights(method, 0, a) + _around_weights(method, 1, a)) / 2
            for a in PLACES
        ]
        assert list(line.get_xdata()) == PLACES
        assert line.get_ydata().tolist() == pytest.approx(expected)


def test_curves_around_inputs_are_along_the_sign_and_across_it(figure):
    inputs = figure.axes[1]
    assert inputs.get_xlabel() == "step in the input (1/255)"
    assert inputs.get_ylabel() == "loss, no attack (nats)"
    names = [LOOKS[method].label for method in RISE]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [*names, "gradient's sign (inputs)", "random signs (inputs)"]
    assert figure.get_supxlabel().startswith("rofit · scale demo")
    drawn = {(to_hex(li.get_color()), li.get_linestyle()): li for li in inputs.lines}
    assert len(drawn) == len(inputs.lines) == 2 * len(RISE)
    for method in RISE:
        for style, place in (("-", (1, 0)), ("--", (0, 1))):
            line = drawn[LOOKS[method].color.lower(), style]
            steps = list(line.get_xdata())
            assert steps == sorted(steps) and {steps[0], steps[-1]} == {-8, 8}
            expected = [
                _around_inputs(method, x * place[0], x * place[1]) for x in steps
            ]
            assert list(line.get_ydata()) == pytest.approx(expected)
