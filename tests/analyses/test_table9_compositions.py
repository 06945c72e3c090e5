"""Table 9: from made-up runs of every composition to claims and to what is rendered."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from made_up_logs import course, saved, write_evaluation, write_run
from made_up_tables import whole
from scipy.stats import t

from rofit.reproduction import catalog
from rofit.settings.spec import RunSpec
from rofit.store.rows import load_logs

NAME = "table9_compositions"
SEEDS = (0, 1, 2)
# What each part adds to the last accuracy, in points; the seeds shift all by as much,
# and labels by a tenth of a point more or less, so that intervals are no points.
ADDS = {
    "given": 0,
    "label_smoothing": 1,
    "adr": -2,
    "sgls": 3,
    "sglr": 4,
    "none": 0,
    "weight_ema": 2,
    "swa": 5,
    "awp": 6,
    "awp+swa": 8,
    "crop_flip": 0,
    "idbh_weak": 3,
}
JITTER = {"label_smoothing": (0.1, 0.0, -0.1), "awp": (0.2, -0.1, -0.1)}


@pytest.fixture(scope="module")
def analysis():
    return catalog.load_analysis(NAME)


def _name(spec: RunSpec) -> tuple[str, str, str]:
    """Return augmentation, weights and labels of a run, from what it is made of."""
    parts = {spec.method, *spec.weights_from} - {"pgd_at"}
    weights = "+".join(sorted(parts & {"awp", "swa", "weight_ema"})) or "none"
    labels = parts & {"label_smoothing", "adr", "sgls", "sglr"} or {"given"}
    return spec.augment, weights, labels.pop()


def _points(name: tuple[str, str, str], seed: int, without: str = "") -> float:
    added = sum(ADDS[part] for part in name if part != without)
    return 30 + 2 * seed + added + sum(JITTER.get(p, (0, 0, 0))[seed] for p in name)


def _made_up(root, analysis, without: str = "") -> pd.DataFrame:
    about = {"metric": "accuracy", "measured": "epoch_end", "attack": "pgd10"}
    validated = course([0.5, 0.6, 0.5], **about, split="val", n=32)
    specs = [
        whole(spec.replace(epochs=3, seed=seed))
        for spec, seed in product(analysis.runs(), SEEDS)
    ]
    for spec in specs:
        last = _points(_name(spec), spec.seed, without) / 100
        rows = course([0.5, 0.6, 0.5], **about, split="test", n=64)
        write_run(root, spec, rows + validated)
        for checkpoint, accuracy in (("best", 0.6), ("last", last)):
            write_evaluation(root, spec, checkpoint, "cw100", accuracy)
    return analysis.table(load_logs(root, [spec.run_id for spec in specs]))


@pytest.fixture(scope="module")
def table(analysis, tmp_path_factory) -> pd.DataFrame:
    made = _made_up(tmp_path_factory.mktemp("table9"), analysis)
    return saved(made.assign(scale="demo", data="digits, linf 8/255"))


def test_table_names_each_composition_by_what_it_is_made_of(analysis, table):
    assert list(table)[:-2] == list(analysis.COLUMNS)
    last = table[(table["attack"] == "cw100") & (table["checkpoint"] == "last")]
    assert len(last) == len(SEEDS) * len(analysis.settings())
    for row in last.itertuples():
        name = (row.augment, row.weights, row.labels)
        assert 100 * row.accuracy == pytest.approx(_points(name, row.seed)), name


def test_compositions_are_all_pairs_and_labels_beside_the_strongest(analysis):
    names = list(map(_name, analysis.runs()))
    assert names == analysis.settings() and len(set(names)) == len(names) == 2 * 20 + 5
    assert ("idbh_weak", "awp+swa", "sgls") in names


def test_a_part_alone_is_the_run_of_table_2(analysis):
    remedies = {s.run_id for s in catalog.load_analysis("table2_remedies").runs()}
    alone = {
        spec.run_id
        for spec in analysis.runs()
        if spec.augment == "crop_flip" and not spec.weights_from
    }
    assert alone < remedies and len(alone) == 8


def test_claims_measure_what_each_part_adds(analysis, table):
    claims = analysis.claims(table)
    expected = [1, -2, 3, 4, 2, 5, 6, 3, 1, -2, 3, 4]
    assert [claim.measured for claim in claims] == pytest.approx(expected)
    verdicts = ["holds" if value > 0 else "fails" for value in expected]
    assert [claim.verdict for claim in claims] == verdicts
    by_seed = [1 + jitter for jitter in JITTER["label_smoothing"]]
    reach = t.ppf(0.975, 2) * np.std(by_seed, ddof=1) / np.sqrt(3)
    for claim in (claims[0], claims[8]):  # in the square, and beside the strongest
        assert (claim.low, claim.high) == pytest.approx((1 - reach, 1 + reach))


def test_what_adds_nothing_is_not_decidable(analysis, tmp_path):
    flat = _made_up(tmp_path, analysis, without="label_smoothing")
    claim = analysis.claims(flat.assign(scale="demo"))[0]
    assert "label_smoothing" in claim.sentence and claim.measured == pytest.approx(0)
    assert claim.verdict == "not decidable at this scale"


def test_a_seed_that_a_composition_lacks_is_left_out(analysis, table):
    lost = (table["labels"] == "given") & (table["seed"] == 1)
    lost &= (table["augment"] == "idbh_weak") & (table["weights"] == "swa")
    claims = analysis.claims(table[~lost])
    assert [claim.n for claim in claims] == [2] * 4 + [3, 2, 3] + [2] + [3] * 4
