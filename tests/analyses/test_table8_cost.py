"""Table 8: times made up by hand, and steps that are timed without a clock."""

import itertools
from pathlib import Path

import pandas as pd
import pytest
import torch
from made_up_logs import saved
from rofit.analyses import table8_cost as table8
from rofit.figures import table8_cost as rendered
from rofit.figures._style import METHODS as LOOKS
from training_helpers import CPU

from rofit.bench import costs, timing
from rofit.bench.costs import step_times
from rofit.settings.scales import SCALES

ROUNDS = 5
PLAIN = [0.100, 0.200, 0.100, 0.100, 0.400]  # a machine that is busy at times
RATIOS = {  # over PGD-AT, round by round; medians 1.05, 1.20 and 0.5
    "pgd_at": [1.0] * 5,
    "sgls": [1.05, 1.01, 1.09, 1.05, 1.05],
    "sglr": [1.20, 1.10, 1.20, 1.30, 1.25],
    "standard": [0.5, 0.5, 0.5, 0.5, 0.5],
}


def _times(ratios: dict[str, list[float]] = RATIOS) -> pd.DataFrame:
    """Return what step_times returns."""
    return pd.DataFrame(
        [
            {"method": method, "round": number, "seconds": over * PLAIN[number]}
            | {"batch_size": 25, "device": "cpu", "engine": "eager"}
            for method, by_round in ratios.items()
            for number, over in enumerate(by_round)
        ]
    )


@pytest.fixture
def table() -> pd.DataFrame:
    return table8.table(_times()).assign(scale="demo", data="digits, linf 8/255")


def test_runs_are_every_method_once_and_pgd_at_first():
    methods = [spec.method for spec in table8.runs()]
    assert methods[0] == "pgd_at" and sorted(methods) == sorted(LOOKS)
    assert table8.COSTS and table8.DIAGNOSTICS == ()


def test_table_has_each_step_over_pgd_ats_in_the_same_round(table):
    assert list(table) == [*table8.COLUMNS, "scale", "data"]
    assert len(table) == len(RATIOS) * ROUNDS
    for method, ratios in RATIOS.items():
        rows = table[table["method"] == method].set_index("round")
        assert rows["over_pgd_at"].tolist() == pytest.approx(ratios)
        expected = [over * plain for over, plain in zip(ratios, PLAIN, strict=True)]
        assert rows["seconds"].tolist() == pytest.approx(expected)


def test_rounds_are_matched_by_number_and_not_by_place():
    turned = _times().sample(frac=1, random_state=0)
    table = table8.table(turned).set_index(["method", "round"])["over_pgd_at"]
    for method, ratios in RATIOS.items():
        assert table[method].sort_index().tolist() == pytest.approx(ratios)


def test_claims_are_what_is_left_of_a_tenth_over_rounds(table):
    sgls, sglr = table8.claims(table)
    assert (sgls.n, sgls.measured, sgls.verdict) == (5, pytest.approx(5), "holds")
    assert (sglr.n, sglr.measured, sglr.verdict) == (5, pytest.approx(-11), "fails")
    assert sgls.sentence.startswith("sgls") and sglr.sentence.startswith("sglr")
    # of five rounds the intervals reach 1.24 standard deviations: 3.5 and 9.2
    assert sgls.spread == pytest.approx(8**0.5) and sgls.needed == "above 0"
    assert (sgls.low, sglr.high) == pytest.approx((1.49, -1.80), abs=0.01)
    assert repr(table8.claims(saved(table))) == repr([sgls, sglr])


@pytest.mark.parametrize(("over", "verdict"), [(1.0999, "holds"), (1.1001, "fails")])
def test_a_tenth_is_the_limit_at_any_scale(over, verdict):
    times = _times(RATIOS | {"sgls": [over] * ROUNDS, "sglr": [over] * ROUNDS})
    for scale, needed in (("smoke", "above 0"), ("paper", "at least 0")):
        claims = table8.claims(table8.table(times).assign(scale=scale))
        assert [(c.verdict, c.needed) for c in claims] == [(verdict, needed)] * 2


def test_two_rounds_decide_nothing(table):
    claims = table8.claims(table[table["round"] < 2])
    assert {claim.verdict for claim in claims} == {"not decidable at this scale"}


def test_method_that_was_not_timed_is_not_decidable(table):
    claims = table8.claims(table[table["method"] != "sgls"])
    assert claims[0].verdict == "not decidable at this scale" and claims[0].n == 0


def test_markdown_has_medians_and_quartiles_and_says_on_what(table):
    head, _, *lines, _, note = rendered.render(saved(table))["md"].splitlines()
    assert head == "| method | x PGD-AT's step | quartiles | ms a step |"
    assert lines == [
        "| PGD-AT | 1.00 | 1.00 to 1.00 | 100.0 |",
        "| SGLS | 1.05 | 1.05 to 1.05 | 109.0 |",
        "| SGLR (our reading) | 1.20 | 1.20 to 1.25 | 130.0 |",
        "| standard | 0.50 | 0.50 to 0.50 | 50.0 |",
    ]
    assert note == (
        "rofit, scale demo; digits, linf 8/255; batches of 25 on cpu, eager; medians "
        "of 5 rounds, all methods in turn in one process."
    )


@pytest.fixture
def called(monkeypatch) -> list[object]:
    """The steps in the order in which they are timed: each takes its number's ms."""
    order: list[object] = []
    count = itertools.count(1)

    def fake(call, device):
        assert device is CPU
        call()
        order.append(call)
        return next(count) / 1000

    monkeypatch.setattr(timing, "timed", fake)
    monkeypatch.setattr(costs, "ROUNDS", 3)
    return order


def _specs(*methods: str):
    smoke = SCALES["smoke"].apply
    return [smoke(s) for s in table8.runs() if s.method in methods]


def test_every_round_times_every_method_in_turn(called):
    specs = _specs("pgd_at", "sglr", "swa")
    times = step_times(specs, Path("nowhere"), device=CPU, engine="eager")
    assert list(times) == "method round seconds batch_size device engine".split()
    by = times.pivot(index="round", columns="method", values="seconds")
    assert (1000 * by["pgd_at"]).tolist() == pytest.approx([1, 4, 7])
    assert (1000 * by["sglr"]).tolist() == pytest.approx([2, 5, 8])
    assert (1000 * by["swa"]).tolist() == pytest.approx([3, 6, 9])
    assert called == called[:3] * 3
    assert set(times["batch_size"]) == {64} and set(times["device"]) == {"cpu"}
    assert set(times["engine"]) == {"eager"}


def test_steps_of_every_method_can_be_timed_late_in_their_runs(called, monkeypatch):
    made = []

    class Recorded(costs.Ours):
        def __init__(self, spec, *rest):
            super().__init__(spec, *rest)
            made.append(self)

    monkeypatch.setattr(costs, "Ours", Recorded)
    monkeypatch.setattr(costs, "ROUNDS", 1)
    specs = _specs(*table8.METHODS)
    times = step_times(specs, Path("nowhere"), device=CPU, engine="eager")
    assert times["method"].tolist() == list(table8.METHODS)
    table = table8.table(times)
    assert list(table) == list(table8.COLUMNS) and table.notna().all(axis=None)
    assert [way.run.spec.method for way in made] == list(table8.METHODS)
    for way in made:
        assert len(way.run.train) == 4 * way.run.spec.batch_size
    (late,) = (way.run for way in made if way.run.spec.method == "sglr")
    labels = late.method.labels.current(torch.arange(len(late.train.y)), late.train.y)
    assert (labels.max(dim=1).values < 1).any(), "some are refined by now"


def test_seeds_of_a_method_are_one_row_a_round(called):
    (spec,) = _specs("pgd_at")
    specs = [spec.replace(seed=seed) for seed in range(3)]
    times = step_times(specs, Path("nowhere"), device=CPU, engine="eager")
    assert times[["method", "round"]].to_numpy().tolist() == [
        ["pgd_at", number] for number in range(3)
    ]
