"""Tables of best and last: from made-up runs to claims and to what is rendered."""

import re

import pandas as pd
import pytest
from made_up_logs import saved
from made_up_tables import (
    ATTACKS,
    BEST,
    EVERY,
    NAMES,
    ROWS,
    SEEDS,
    made_up,
    replanted,
)
from rofit.figures._sources import with_names

from rofit.measures.claims import Claim
from rofit.reproduction import catalog
from rofit.settings.spec import RunSpec

# In points, as the falls of made_up_tables give them, less 0.5 on average where a fall
# is not compared, and thresholds at full size.
MEASURED = {
    "table1_main": [11, 11, 9, 9] * 2,
    "table2_remedies": [8, 2, 9, 7, 6, 5, 4, 3, 7.5, 6.5, 10, 11]
    + [3, 3.5, 4, 3.4, 5.5, 5.4, 8.5, 4.5, 1],
    "table3_architectures": [10, 11] * 2,
    "table4_threats": [11.5, 10, 11] * 2,
    "table6_datasets": [10, 11] * 2,
    "table7_components": [2, 1, 11, 8, 1],
}
NEEDED = {
    "table1_main": [6, -1, 2, -1] * 2,
    "table2_remedies": [0] * 10 + [4, 4] + [0] * 8 + [-1],
    "table3_architectures": [0] * 4,
    "table4_threats": [6, 4.5, 4.5, 2, 0.5, 0.5],
    "table6_datasets": [0] * 4,
    "table7_components": [0] * 5,
}
UNDECIDED = "not decidable at this scale"


@pytest.fixture(scope="module", params=NAMES)
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def analysis(name):
    return catalog.load_analysis(name)


@pytest.fixture(scope="module")
def bare(name, analysis, tmp_path_factory) -> pd.DataFrame:
    """The analysis' table."""
    return made_up(tmp_path_factory.mktemp(name), analysis, tuple(BEST))


@pytest.fixture
def table(bare) -> pd.DataFrame:
    """The same as it is published: of a small scale."""
    return bare.assign(scale="demo", data="digits, linf 8/255")


def _without(table: pd.DataFrame, *attacks: str) -> pd.DataFrame:
    return table[~table["attack"].isin(attacks)]


def _only_under(table: pd.DataFrame, attack: str, sign: int) -> pd.DataFrame:
    """Return the table with other effects under one attack and, clean, the same."""
    other = replanted(table, sign)
    return other.where(other["attack"].isin([attack, "none"]), table)


def _full_size(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(scale="paper", epochs=200)


def _rendered(name: str, table: pd.DataFrame) -> dict[str, str]:
    return catalog.load_figure(name).render(saved(table))


def _markdown(name: str, table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the cells as text, rows by what names them, and the note."""
    head, _, *lines, _, note = _rendered(name, table)["md"].splitlines()
    taken = [line.strip("|")[1:-1].split(" | ") for line in (head, *lines)]
    frame = pd.DataFrame(taken[1:], columns=taken[0])
    return frame.set_index(ROWS[name]), note


def _shown(name: str, table: pd.DataFrame) -> dict[object, pd.DataFrame]:
    """Return the runs of each row, by the name that it is rendered under."""
    label = catalog.load_figure("_tables").method_label
    runs = {}
    for key, rows in table.groupby(ROWS[name], sort=False):
        names = tuple(label(field) for field in key)
        runs[names[0] if len(names) == 1 else names] = rows
    return runs


def test_every_table_of_best_and_last_is_among_these():
    assert list(ROWS) == NAMES


def test_table_has_a_row_a_run_checkpoint_and_attack(name, analysis, bare):
    assert list(bare) == list(analysis.COLUMNS)
    settings = len(analysis.runs())
    assert len(bare) == settings * len(SEEDS) * (2 * len(ATTACKS) + 1)
    key = [*ROWS[name], "seed", "checkpoint", "attack"]
    assert not bare.duplicated(key).any() and bare[key].notna().all(axis=None)
    assert set(bare["attack"]) == set(ATTACKS)
    assert set(bare["n"]) == {64} and set(bare["epochs"]) == {4}


def test_table_holds_what_was_evaluated(bare):
    made = bare[bare["checkpoint"] != "best on test"]
    expected = replanted(made, 1)["accuracy"]
    assert made["accuracy"].tolist() == pytest.approx(expected.tolist())
    assert set(bare.loc[bare["checkpoint"] == "best on test", "accuracy"]) == {0.9}


def test_settings_stand_in_the_order_of_the_runs(name, analysis, bare):
    def setting(spec: RunSpec) -> list[str]:
        about = {"method": "+".join(filter(None, [spec.method, spec.labels_from]))}
        return [about.get(field) or getattr(spec, field) for field in ROWS[name]]

    settings = bare[ROWS[name]].drop_duplicates().to_numpy().tolist()
    if name == "table7_components":
        assert settings == [[variant] for variant in analysis.VARIANTS]
    else:
        assert settings == [setting(spec) for spec in analysis.runs()]


def test_claims_measure_what_was_planted_and_hold(name, analysis, table):
    claim_lists = [analysis.claims(rows) for rows in (table, saved(table))]
    # pandas before 3 reads a saved number's last bit otherwise
    for claims in claim_lists:
        assert [c.measured for c in claims] == pytest.approx(MEASURED[name])
        assert {(c.verdict, c.n, c.unit) for c in claims} == {("holds", 3, "points")}
    assert [c.sentence for c in claim_lists[0]] == [c.sentence for c in claim_lists[1]]


def test_opposite_effects_fail_and_equal_ones_are_not_decidable(analysis, table):
    opposite = analysis.claims(replanted(table, -1))
    assert {claim.verdict for claim in opposite} == {"fails"}
    equal = analysis.claims(replanted(table, 0))
    assert {claim.verdict for claim in equal} == {UNDECIDED}


def test_claims_are_about_the_strongest_attack_that_was_made(analysis, table):
    weaker = _only_under(replanted(table, -1), "autoattack", 1)
    assert {c.verdict for c in analysis.claims(weaker)} == {"holds"}
    left = ["autoattack"]
    for attack in ("cw100", "pgd20", EVERY):
        other = _only_under(_without(table, *left), attack, -1)
        assert {c.verdict for c in analysis.claims(other)} == {"fails"}
        left.append(attack)


def test_at_full_size_the_thresholds_count(name, analysis, table):
    def verdict(claim: Claim, threshold: float) -> str:
        """By the mean alone: no interval has a threshold in it, save at its middle."""
        if claim.measured == pytest.approx(threshold, abs=1e-9):
            return UNDECIDED
        return "holds" if claim.measured > threshold else "fails"

    little = replanted(table, 0).assign(
        accuracy=(9 * replanted(table, 0)["accuracy"] + table["accuracy"]) / 10
    )
    for planted in (table, little, replanted(table, 0), replanted(table, -1)):
        claims = analysis.claims(_full_size(planted))
        assert [c.needed for c in claims] == [f"at least {n:g}" for n in NEEDED[name]]
        expected = list(map(verdict, claims, NEEDED[name]))
        assert [c.verdict for c in claims] == expected
    assert {c.verdict for c in analysis.claims(_full_size(table))} == {"holds"}
    short = analysis.claims(table.assign(scale="paper"))
    assert all(claim.needed.startswith("above 0") for claim in short), "four epochs"


def test_two_seeds_decide_nothing_at_any_size(analysis, table):
    two = table[table["seed"] < 2]
    for rows in (two, _full_size(two)):
        claims = analysis.claims(rows)
        assert {(claim.n, claim.verdict) for claim in claims} == {(2, UNDECIDED)}


def test_a_seed_that_one_method_lacks_is_left_out(name, analysis, table):
    first = table[ROWS[name][-1]].iloc[0]  # PGD-AT: what others are compared with
    lost = (table[ROWS[name][-1]] == first) & (table["seed"] == 1)
    claims = analysis.claims(table[~lost])
    assert {claim.n for claim in claims} in ({2}, {2, 3})
    assert {claim.verdict for claim in claims if claim.n == 2} == {UNDECIDED}


def test_what_others_publish_is_a_column_where_there_is_any(name, table):
    frame, note = _markdown(name, table)
    if name == "table7_components":
        assert "published" not in frame and "Published" not in note
        return
    published = {
        key: with_names(rows["published"].iloc[0])
        for key, rows in _shown(name, table).items()
    }
    assert frame["published"].to_dict() == published and any(published.values())
    assert "Published: networks of full size" in note
    none, _ = _markdown(name, table.assign(published=""))
    assert "published" not in none


def test_latex_has_the_same_cells(name, table):
    made = _rendered(name, table)
    lines = [li[:-3] for li in made["tex"].splitlines() if li.endswith(r" \\")]
    plain = [re.sub(r"\\textbf\{(.*?)\}(?= &|$)", r"**\1**", line) for line in lines]
    plain = [line.replace(r"$\pm$", "±").replace("\\", "") for line in plain]
    expected = made["md"].splitlines()
    del expected[1], expected[-2:]
    assert [line.split(" & ") for line in plain] == [
        line.removeprefix("| ").removesuffix(" |").split(" | ") for line in expected
    ]
