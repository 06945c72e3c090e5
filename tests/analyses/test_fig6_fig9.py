"""Figures 6 and 9: tables, claims and pictures of runs that were made up by hand."""

from pathlib import Path

import pandas as pd
import pytest
from made_up_logs import course, saved, write_run
from made_up_tables import whole
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from rofit.analyses import fig6_cifar100 as fig6
from rofit.analyses import fig9_ablation as fig9
from rofit.figures import fig6_cifar100 as drawn6
from rofit.figures import fig9_ablation as drawn9
from rofit.figures._style import METHODS as LOOKS

from rofit.store.rows import load_logs

UNDECIDED = "not decidable at this scale"
SMALL = {"scale": "demo", "data": "digits"}
SEEDS = (0, 1, 2)
# By how much an accuracy differs at each seed. Of two that differ in other ways, the
# difference varies by a tenth of a point: the interval of its mean reaches 0.25 points.
EVEN, UNEVEN = (0.0, 0.005, 0.01), (0.001, 0.004, 0.01)
FALLS = {"pgd_at": 0.08, "sgls": 0.03, "sglr": 0.01}  # of Figure 6, and what seeds add
# Figure 9: best and last of each setting, and what seeds add; usual: r 0.8, 0.9, from
# 0.445.
PLAIN, USUAL = (0.40, 0.30), (0.42, 0.39)
LASTS = {
    ("r", 0.0): (0.41, 0.31),
    ("r", 0.5): (0.41, 0.36),
    ("r", 1.0): (0.43, 0.40),
    ("label_momentum", 0.8): (0.42, 0.38),
    ("label_momentum", 0.95): (0.42, 0.395),
    ("start", 0.2): (0.38, 0.37),
    ("start", 0.6): (0.42, 0.35),
    ("start", 0.8): (0.42, 0.33),
}
EVEN_LASTS = {None, ("label_momentum", 0.95), ("start", 0.6)}  # None: of PGD-AT


def _curves(best: float, last: float, *, clean: float = 0.5) -> list[dict]:
    """Return four epochs: val chooses the second, the learning rate then drops."""
    accuracies = {
        "test": [0.1, best, best - 0.01, last],
        "val": [0.1, 0.5, 0.4, 0.3],
        "train": [0.2, 0.4, 0.6, 0.8],
    }
    rows = course([0.1, 0.1, 0.01, 0.01], split="train", metric="learning_rate")
    for split, values in accuracies.items():
        measured = "step" if split == "train" else "epoch_end"
        about = {"split": split, "metric": "accuracy", "measured": measured, "n": 64}
        attack = "pgd10" if split == "train" else "pgd20"
        rows += course(values, **about, attack=attack)
    about = {"split": "test", "metric": "accuracy", "measured": "epoch_end", "n": 64}
    clean_values = [clean, clean + 0.1, clean + 0.2, clean + 0.3]
    return rows + course(clean_values, **about, attack="none")


def _fig6(root: Path, falls: dict[str, float]) -> pd.DataFrame:
    for spec in fig6.runs():
        for seed in SEEDS:
            one = whole(spec.replace(epochs=4, seed=seed))
            more = EVEN if spec.method == "pgd_at" else UNEVEN
            best, fall = 0.3 + 0.01 * seed, falls[spec.method] + more[seed]
            clean = 0.5 + 0.01 * seed
            write_run(root, one, _curves(best, best - fall, clean=clean))
    return fig6.table(load_logs(root))


def _fig9(root: Path, lasts: dict = LASTS, usual=USUAL, plain=PLAIN) -> pd.DataFrame:
    for spec in fig9.runs():
        params = dict(spec.method_params)
        key = next(iter(params.items()), None)
        setting = key or (("usual", 0) if spec.method == "sglr" else None)
        best, last = (lasts | {("usual", 0): usual, None: plain})[setting]
        more = EVEN if setting in EVEN_LASTS else UNEVEN
        for seed in SEEDS:
            one = whole(spec.replace(epochs=4, seed=seed))
            write_run(root, one, _curves(best + EVEN[seed], last + more[seed]))
    return fig9.table(load_logs(root))


@pytest.fixture
def six(tmp_path) -> pd.DataFrame:
    return _fig6(tmp_path, FALLS).assign(**SMALL)


@pytest.fixture
def nine(tmp_path) -> pd.DataFrame:
    return _fig9(tmp_path).assign(**SMALL)


def _decided(claims) -> list[str]:
    return [claim.verdict for claim in claims]


def _lines(axes, color: str, style: str) -> list[list[list[float]]]:
    """Return the curves of a colour and style, epochs and values each."""
    return [
        [list(line.get_xdata()), list(line.get_ydata())]
        for line in axes.lines
        if to_hex(line.get_color()) == color.lower()
        and line.get_linestyle() == style
        and len(line.get_xdata()) > 1
    ]


def test_figure_6_has_a_row_a_run_and_epoch_with_clean_accuracy(six):
    assert list(six) == [*fig6.COLUMNS, *SMALL]
    assert len(six) == 3 * 3 * 4
    assert not six.duplicated(["method", "seed", "epoch"]).any()
    run = six[(six["method"] == "sgls") & (six["seed"] == 1)]
    assert run["epoch"].tolist() == [1, 2, 3, 4]
    assert run["test_robust"].tolist() == pytest.approx([0.1, 0.31, 0.3, 0.276])
    assert run["train_robust"].tolist() == [0.2, 0.4, 0.6, 0.8]
    assert run["test_clean"].tolist() == pytest.approx([0.51, 0.61, 0.71, 0.81])
    assert run["best"].tolist() == [False, True, False, False]
    assert run["drop_follows"].tolist() == [False, True, False, False]


def test_figure_6_runs_are_of_cifar100_alone():
    assert [spec.method for spec in fig6.runs()] == ["pgd_at", "sgls", "sglr"]
    assert {spec.dataset for spec in fig6.runs()} == {"cifar100"}


def test_figure_6_claims_measure_what_was_planted_and_can_fail(six, tmp_path):
    claims = fig6.claims(six)
    assert [c.measured for c in claims] == pytest.approx([8.5, 5, 7])
    assert _decided(claims) == ["holds"] * 3 and {c.n for c in claims} == {3}
    opposite = {"pgd_at": -0.08, "sgls": 0.03, "sglr": 0.05}
    failing = fig6.claims(_fig6(tmp_path / "other", opposite).assign(**SMALL))
    assert _decided(failing) == ["fails"] * 3
    same = _fig6(tmp_path / "same", dict.fromkeys(FALLS, 0.05)).assign(**SMALL)
    equal = fig6.claims(same)
    assert _decided(equal[1:]) == [UNDECIDED] * 2
    assert repr(fig6.claims(saved(six))) == repr(claims)
    two = fig6.claims(six[six["seed"] < 2])
    assert _decided(two) == [UNDECIDED] * 3 and {c.n for c in two} == {2}


def test_figure_6_thresholds_count_at_full_size(six, tmp_path):
    little = {"pgd_at": 0.02, "sgls": 0.015, "sglr": 0.01}
    few = _fig6(tmp_path / "few", little).assign(**SMALL)
    for table, verdict in ((six, "holds"), (few, "fails")):
        full = table.assign(scale="paper", epoch=table["epoch"].replace(4, 200))
        claims = fig6.claims(full)
        assert [c.needed for c in claims] == ["at least 4", *["at least 2.5"] * 2]
        assert _decided(claims) == [verdict] * 3
    assert _decided(fig6.claims(few)) == ["holds"] * 3, "of a small scale: the sign"


def test_figure_6_draws_the_means_of_the_table_and_marks_every_best(six):
    left, right = drawn6.draw(saved(six)).axes
    for method, fall in FALLS.items():
        color = LOOKS[method].color
        epochs, test = _lines(left, color, "-")[0]
        assert epochs == [1, 2, 3, 4]
        assert test == pytest.approx([10, 31, 30, 31 - 100 * fall - 0.5])
        assert _lines(left, color, "--")[0][1] == pytest.approx([20, 40, 60, 80])
        assert _lines(right, color, "-")[0][1] == pytest.approx([51, 61, 71, 81])
    dots = [artist for artist in left.collections if isinstance(artist, PathCollection)]
    marked = [sorted(dot.get_offsets().tolist()) for dot in dots]
    assert marked == [[[2, pytest.approx(y)] for y in (30, 31, 32)]] * 3
    assert left.get_ylabel() == "robust accuracy (%)"
    assert right.get_ylabel() == "clean test accuracy (%)"


def test_figure_9_has_a_row_a_run_and_sweep_and_the_usual_setting_in_each(nine):
    assert list(nine) == [*fig9.COLUMNS, *SMALL]
    values = {
        name: rows.loc[rows["seed"] == 0, "value"].tolist()
        for name, rows in nine.groupby("varied")
    }
    assert {name: tuple(values[name]) for name in fig9.SWEEPS} == fig9.SWEEPS
    assert len(nine) == 3 * (4 + 3 + 4 + 1)
    expected = LASTS | {(name, value): USUAL for name, value in fig9.USUAL.items()}
    for (name, value), (best, last) in expected.items():
        rows = nine[(nine["varied"] == name) & (nine["value"] == value)]
        assert rows["best"].tolist() == pytest.approx([best + x for x in EVEN])
        more = EVEN if (name, value) in EVEN_LASTS else UNEVEN
        assert rows["last"].tolist() == pytest.approx([last + x for x in more])
    assert set(nine["n"]) == {64} and set(nine["attack"]) == {"pgd20"}
    assert set(nine["selected_on"]) == {"val"} and set(nine["epochs"]) == {4}


def test_figure_9_runs_vary_one_setting_at_a_time():
    settings = [dict(spec.method_params) for spec in fig9.runs()]
    assert [len(setting) for setting in settings] == [0, 0] + [1] * 8
    assert [spec.method for spec in fig9.runs()] == ["pgd_at"] + ["sglr"] * 9


def test_figure_9_claims_measure_what_was_planted_and_can_fail(nine, tmp_path):
    claims = fig9.claims(nine)
    # r = 0 ends 1 above; momenta 1.5 apart; 39 over 30; falls of 7 and 3.
    assert [c.measured for c in claims] == pytest.approx([1, 0.5, 9, 4])
    assert _decided(claims) == ["holds"] * 4 and {c.n for c in claims} == {3}
    two = fig9.claims(nine[nine["seed"] < 2])
    assert _decided(two) == [UNDECIDED] * 4 and {c.n for c in two} == {2}
    assert repr(fig9.claims(saved(nine))) == repr(claims)
    lasts = LASTS | {("r", 0.0): (0.4, 0.35), ("start", 0.6): (0.3, 0.29)}
    lasts |= {("label_momentum", 0.95): (0.42, 0.36)}
    other = _fig9(tmp_path / "other", lasts, usual=(0.42, 0.28)).assign(**SMALL)
    assert [c.measured for c in fig9.claims(other)] == pytest.approx([-3, -8, -2, -13])
    assert _decided(fig9.claims(other)) == ["fails"] * 4


def test_figure_9_thresholds_count_at_full_size(nine, tmp_path):
    full = fig9.claims(nine.assign(scale="paper", epochs=200))
    assert [c.needed for c in full] == [f"at least {n}" for n in (0, 0, 4, 1)]
    assert _decided(full) == ["holds"] * 4
    short = fig9.claims(nine.assign(scale="paper"))
    assert all(c.needed.startswith("above 0") for c in short), "four epochs only"
    # 3 above PGD-AT; 9 - 8.5 further
    lasts = LASTS | {("start", 0.6): (0.42, 0.33)}
    little = _fig9(tmp_path / "few", lasts, usual=(0.415, 0.33)).assign(**SMALL)
    few = fig9.claims(little.assign(scale="paper", epochs=200))[2:]
    assert [c.measured for c in few] == pytest.approx([3, 0.5])
    assert _decided(few) == ["fails"] * 2
    assert _decided(fig9.claims(little)[2:]) == ["holds"] * 2


@pytest.mark.parametrize("left", [[0.9], [0.8, 0.9]])
def test_figure_9_momenta_that_were_not_run_are_not_called_alike(nine, left):
    lost = (nine["varied"] == "label_momentum") & ~nine["value"].isin(left)
    claim = fig9.claims(nine[~lost])[1]
    assert claim.n == 0 and claim.verdict == UNDECIDED


def test_figure_9_draws_the_means_of_the_table(nine):
    figure = drawn9.draw(saved(nine))
    expected = LASTS | {(name, value): USUAL for name, value in fig9.USUAL.items()}
    for axes, (name, values) in zip(figure.axes, fig9.SWEEPS.items(), strict=True):
        for style, which in (("--", 0), ("-", 1)):
            (curve,) = _lines(axes, LOOKS["sglr"].color, style)
            means = [100 * expected[name, value][which] + 0.5 for value in values]
            assert curve == [list(values), pytest.approx(means)]
            flat = [li for li in axes.lines if to_hex(li.get_color()) == "#999999"]
            (plain,) = (li for li in flat if li.get_linestyle() == style)
            heights = [100 * PLAIN[which] + 0.5] * 2
            assert list(plain.get_ydata()) == pytest.approx(heights)
    assert figure.axes[0].get_ylabel() == "test robust accuracy,\nPGD-20 (%)"
