"""Figure 10: table and claims of evaluations made up by hand."""

from pathlib import Path

import pandas as pd
import pytest
from made_up_logs import course, saved, write_evaluation, write_run
from rofit.analyses import fig10_strength as fig10

from rofit.measures.claim_text import measured_text
from rofit.settings.spec import RunSpec
from rofit.store.rows import load_logs

UNDECIDED = "not decidable at this scale"
PGD = {"split": "test", "attack": "pgd20", "metric": "accuracy"}
RADII = [0, 2, 4, 6, 8, 10, 12, 14, 16]
FALLING = [0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.06, 0.04, 0.02]


def _steps(least: float) -> dict[int, float]:
    """Return accuracy by steps: 0.15 after 20, *least* from 100 on."""
    return {
        n: {1: 0.3, 2: 0.25, 5: 0.2, 10: 0.16, 20: 0.15, 50: 0.15}.get(n, least)
        for n in fig10.STEPS
    }


def _table(root: Path, lines: dict[str, list[float]], least: float) -> pd.DataFrame:
    for method, line in lines.items():
        for seed in (0, 1, 2):
            spec = RunSpec(method=method, epochs=4, seed=seed)
            rows = course([0.1, 0.3, 0.2, 0.1], **PGD, n=64, measured="epoch_end")
            rows += course([0.2, 0.4, 0.3, 0.2], **PGD | {"split": "val"}, n=32)
            write_run(root, spec, rows)
            for checkpoint in ("best", "last"):
                shift = 0.01 * seed
                for radius, accuracy in zip(RADII, line, strict=True):
                    attack = "pgd20" if radius else "none"
                    about = {"epsilon": radius / 255}
                    write_evaluation(
                        root, spec, checkpoint, attack, accuracy + shift, **about
                    )
                for steps, accuracy in _steps(least).items():
                    if steps != 20:
                        write_evaluation(
                            root, spec, checkpoint, f"pgd{steps}", accuracy + shift
                        )
                write_evaluation(root, spec, checkpoint, "pgd20x5", 0.0)
                write_evaluation(root, spec, checkpoint, "autoattack", 0.0)
    return fig10.table(load_logs(root)).assign(scale="demo", data="digits, linf 8/255")


@pytest.fixture
def table(tmp_path) -> pd.DataFrame:
    return _table(tmp_path, {"pgd_at": FALLING, "sglr": FALLING}, least=0.145)


def test_table_has_a_row_a_network_and_strength(table):
    assert list(table) == [*fig10.COLUMNS, "scale", "data"]
    assert len(table) == 2 * 3 * 2 * (len(RADII) + len(fig10.STEPS))
    assert set(table["trained_radius"]) == {8}
    keys = ["method", "seed", "checkpoint", "varied", "strength"]
    assert not table.duplicated(keys).any()
    assert set(table["selected_on"]) == {"val"} and set(table["n"]) == {64}
    assert set(table.loc[table["checkpoint"] == "best", "epoch"]) == {2}


def test_both_curves_hold_what_was_evaluated_at_the_run_s_radius(table):
    net = table.query("method == 'sglr' and seed == 0 and checkpoint == 'last'")
    radius, steps = (net[net["varied"] == v] for v in ("radius", "steps"))
    assert radius["strength"].tolist() == RADII
    assert radius["accuracy"].tolist() == FALLING
    assert dict(zip(steps["strength"], steps["accuracy"], strict=True)) == _steps(0.145)


def test_evaluations_of_other_epochs_are_left_out(table, tmp_path):
    spec = RunSpec(method="sglr", epochs=4, seed=0)
    write_evaluation(tmp_path, spec, "epoch-0003", "pgd20", 0.9)
    again = fig10.table(load_logs(tmp_path)).assign(scale="demo", data=table["data"][0])
    assert saved(again).equals(saved(table))


def test_claims_hold_for_falling_curves_and_count_seeds(table):
    claims = fig10.claims(table)
    assert [claim.verdict for claim in claims] == ["holds"] * 6
    assert {claim.n for claim in claims} == {3}
    falls, left, margin = (claim.measured for claim in claims[:3])
    assert falls == pytest.approx(2.0)
    assert left == pytest.approx(5 - (2 + 2)), "of seed 2, the smallest"
    assert margin == pytest.approx(0.5)
    assert fig10.claims(saved(table)) == claims
    assert all(measured_text(claim) for claim in claims)


def test_every_claim_can_fail(tmp_path):
    rising = [0.5, 0.4, 0.3, 0.2, 0.15, 0.2, 0.15, 0.1, 0.08]
    table = _table(tmp_path, {"pgd_at": rising, "sglr": rising}, least=0.13)
    assert [claim.verdict for claim in fig10.claims(table)] == ["fails"] * 6


def test_one_network_that_fails_is_enough(table):
    here = (table["varied"] == "radius") & (table["strength"] == 16)
    worst = here & (table["checkpoint"] == "best") & (table["seed"] == 1)
    table.loc[worst & (table["method"] == "pgd_at"), "accuracy"] = 0.2
    verdicts = [claim.verdict for claim in fig10.claims(table)]
    assert verdicts == ["fails", "fails", "holds"] + ["holds"] * 3
    one = fig10.claims(table[table["seed"] == 1])
    assert [claim.verdict for claim in one[:3]] == ["fails", "fails", UNDECIDED]


@pytest.mark.parametrize("scale", ["demo", "paper"])
def test_two_seeds_without_an_exception_decide_nothing_at_any_size(table, scale):
    claims = fig10.claims(table[table["seed"] < 2].assign(scale=scale))
    assert {(claim.n, claim.verdict) for claim in claims} == {(2, UNDECIDED)}
    assert {claim.needed for claim in claims} == {"every one at least 0"}
