"""`rofit compare`: what differs, best / last / gap, and the curves in one picture."""

import json
import math
from pathlib import Path

import pandas as pd
import pytest
from command_line import Answer, rofit
from made_up_logs import course, write_evaluation, write_run
from matplotlib.colors import to_hex
from rofit.figures import _compare, _style
from stored_runs import stored

from rofit.commands.comparison import curves
from rofit.measures.metrics import best_last_gap
from rofit.settings.spec import RunSpec
from rofit.store.rows import load_logs
from rofit.store.runs import RunStore

ONE = RunSpec(epochs=4)
TWO = RunSpec(
    method="sgls", method_params={"start": 0.5}, epochs=3, seed=1, drops=(0.4,)
)
THREE = RunSpec(epochs=4, seed=2, val_size=0)
BEGUN = RunSpec(epochs=9)  # without an epoch
ACCURACIES = {  # per cent: test under attack, validation, training, clean test
    ONE: ([10, 31.26, 35, 10.5], [20, 40, 30, 20], [20, 50, 60, 70], [50, 60, 70, 80]),
    TWO: ([10, 30, 25], [10, 20, 30], [10, 20, 30], [40, 50, 60]),
    THREE: ([10, 20, 30, 15], [], [15, 25, 35, 45], [41, 51, 61, 71]),
}
OUTCOME = "test robust accuracy, %"
KEYS = ("best", "at epoch", "chosen on", "last", "gap", "clean, last", "epochs")
OUTCOMES = {
    ONE: (31.26, 2, "val", 10.5, 20.76, 80, 4),
    TWO: (25, 3, "val", 25, 0, 60, 3),
    THREE: (30, 3, "test", 15, 15, 71, 4),
}


def _rows(*accuracies: list[float]) -> list[dict]:
    rows = []
    pairs = (("test", "pgd20"), ("val", "pgd20"), ("train", "pgd10"), ("test", "none"))
    for (split, attack), values in zip(pairs, accuracies, strict=True):
        measured = "step" if split == "train" else "epoch_end"
        about = {"split": split, "attack": attack, "measured": measured, "n": 64}
        rows += course([v / 100 for v in values], **about, metric="accuracy")
        rows += course([9.0 for _ in values], **about, metric="loss")
    return rows


@pytest.fixture
def drawing(tmp_path) -> Path:
    """A folder with three runs, and one that has only begun."""
    for spec, accuracies in ACCURACIES.items():
        write_run(tmp_path / "runs", spec, _rows(*accuracies))
    stored(tmp_path / "runs", BEGUN, [])
    return tmp_path


@pytest.fixture
def home(drawing, monkeypatch) -> Path:
    """The same, where no picture is drawn, which takes longest."""
    monkeypatch.setattr(_compare, "draw", lambda table: None)
    monkeypatch.setattr(_style, "save", lambda figure, stem: None)
    return drawing


def _compare_(home: Path, *words: object) -> Answer:
    arguments = [word.run_id if isinstance(word, RunSpec) else word for word in words]
    return rofit(home, "compare", *arguments)


def _json(home: Path, *words: object) -> dict[str, list[dict]]:
    answer = _compare_(home, *words, "--json")
    assert (answer.code, answer.err) == (0, "")
    return json.loads(answer.out)


def _folder(home: Path) -> Path:
    (folder,) = (home / "results").glob("compare-*")
    return folder


def test_only_fields_that_differ_are_told_a_column_a_run(home):
    rows = _json(home, ONE, TWO)["what differs"]
    one, two = ONE.run_id, TWO.run_id
    assert rows == [
        {"field": "method", one: "pgd_at", two: "sgls"},
        {"field": "epochs", one: 4, two: 3},
        {"field": "drops", one: [0.5, 0.75], two: [0.4]},
        {"field": "seed", one: 0, two: 1},
        {"field": "start", one: None, two: 0.5},
    ]


def test_runs_of_one_setting_differ_in_the_seed_alone(home):
    again = ONE.replace(seed=7)
    write_run(home / "runs", again, _rows(*ACCURACIES[ONE]))
    rows = _json(home, ONE, again)["what differs"]
    assert rows == [{"field": "seed", ONE.run_id: 0, again.run_id: 7}]


def test_outcomes_are_those_of_the_logs_in_the_order_asked_for(home):
    specs = (THREE, ONE, TWO)
    rows = _json(home, *specs)[OUTCOME]
    assert [row.pop("run") for row in rows] == [spec.run_id for spec in specs]
    for row, spec in zip(rows, specs, strict=True):
        assert row == dict(zip(KEYS, OUTCOMES[spec], strict=True))


def test_best_last_and_gap_are_those_of_the_metric(home):
    outcomes = {row["run"]: row for row in _json(home, ONE, TWO, THREE)[OUTCOME]}
    logs = load_logs(home / "runs", [spec.run_id for spec in ACCURACIES])
    for run, expected in best_last_gap(logs).iterrows():
        for name in ("best", "last", "gap"):
            assert outcomes[run][name] == round(100 * expected[name], 2)
        assert outcomes[run]["at epoch"] == expected["best_epoch"]
        assert outcomes[run]["chosen on"] == expected["selected_on"]


def test_answer_in_words_has_the_same_numbers_and_names_the_picture(home):
    answer = _compare_(home, ONE, TWO)
    assert (answer.code, answer.err) == (0, "")
    for text in (ONE.run_id, TWO.run_id, "31.26", "20.76", "drops", "what differs"):
        assert text in answer.out
    assert "batch_size" not in answer.out, "they agree in it"
    assert answer.out.splitlines()[-1] == f"curves   {_folder(home) / 'curves.png'}"


def test_run_is_found_by_an_end_of_its_name(home):
    words = (ONE.run_id[-8:], "sgls")
    assert _json(home, *words) == _json(home, ONE, TWO)


def test_table_beside_the_picture_has_the_numbers_of_the_logs(home):
    _json(home, ONE, TWO, THREE)
    table = pd.read_csv(_folder(home) / "table.csv")
    columns = ["epoch", "test_robust", "train_robust", "test_clean", "run"]
    assert list(table) == columns and len(table) == 4 + 3 + 4
    for spec, (test, _, train, clean) in ACCURACIES.items():
        rows = table[table["run"] == spec.run_id]
        assert rows["epoch"].tolist() == list(range(1, spec.epochs + 1))
        assert rows["test_robust"].tolist() == pytest.approx(test)
        assert rows["train_robust"].tolist() == pytest.approx(train)
        assert rows["test_clean"].tolist() == pytest.approx(clean)


def test_picture_is_kept_as_png_and_pdf(drawing):
    _json(drawing, ONE, TWO)
    files = {path.name: path.read_bytes()[:4] for path in _folder(drawing).iterdir()}
    assert files.pop("table.csv")
    assert files == {"curves.png": b"\x89PNG", "curves.pdf": b"%PDF"}


def test_each_choice_of_runs_has_a_folder_whatever_their_order(home):
    _json(home, ONE, TWO)
    _json(home, TWO, ONE)
    assert _folder(home)
    _json(home, ONE, TWO, THREE)
    assert len(list((home / "results").glob("compare-*"))) == 2


def test_picture_draws_the_table(drawing):
    specs = (TWO, ONE)
    logs = load_logs(drawing / "runs", [spec.run_id for spec in specs])
    figure = _compare.draw(curves(logs, [spec.run_id for spec in specs]))
    left, right = figure.axes
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == [*(spec.run_id for spec in specs), "test", "train, on the fly"]
    for number, spec in enumerate(specs):
        test, _, train, clean = ACCURACIES[spec]
        expected = {(left, "-"): test, (left, "--"): train, (right, "-"): clean}
        for (axes, style), values in expected.items():
            lines = [li for li in axes.lines if li.get_linestyle() == style]
            line = lines[number]
            assert to_hex(line.get_color()) == to_hex(f"C{number}")
            assert list(line.get_xdata()) == list(range(1, spec.epochs + 1))
            assert list(line.get_ydata()) == pytest.approx(values)


def test_evaluations_of_the_runs_are_not_mistaken_for_epochs(home):
    before = _json(home, ONE, TWO)
    write_evaluation(home / "runs", ONE, "last", "pgd20", 0.99)
    assert _json(home, ONE, TWO) == before


def test_results_go_where_they_are_asked_to(home, tmp_path):
    _json(home, ONE, TWO, "--out", tmp_path / "there")
    assert len(list((tmp_path / "there").glob("compare-*/table.csv"))) == 1
    assert not (home / "results").exists()


WRONG = {
    "one run": ((ONE,), "compare expects two runs or more"),
    "one run twice": ((ONE, ONE), f"run {ONE.run_id} is named twice; name each"),
    "a run twice": ((ONE, TWO, ONE), f"run {ONE.run_id} is named twice; name each"),
    "unknown": ((ONE, "nope"), "no single run 'nope' in "),
    "several match": ((TWO, "pgd_at"), "no single run 'pgd_at' in "),
    "no epoch": ((ONE, BEGUN), f"run {BEGUN.run_id} has no finished epoch yet"),
    "none at all": ((), "Missing argument"),
}


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_sentence_and_code_2(home, case, words):
    runs, sentence = WRONG[case]
    answer = _compare_(home, *runs, *words)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"rofit: {sentence}")
    assert answer.err.count("\n") == 1 and "Traceback" not in answer.err
    assert not (home / "results").exists()


def test_folder_that_cannot_be_written_is_one_sentence_and_code_2(home):
    (home / "file").touch()
    answer = _compare_(home, ONE, TWO, "--out", home / "file")
    assert answer.code == 2 and answer.err.count("\n") == 1
    assert answer.err.startswith("rofit: the folder of results ")
    assert answer.err.endswith("; choose another with --out\n")


def test_run_whose_first_epoch_was_cut_off_has_no_finished_epoch(home):
    rows = [row for row in _rows([], [], [20], []) if row["metric"] == "accuracy"]
    torn = stored(home / "runs", RunSpec(epochs=8), rows)
    answer = _compare_(home, ONE, torn.path.name)
    assert answer.code == 2 and "has no finished epoch yet" in answer.err


def test_json_answer_names_the_picture(home):
    answer = _compare_(home, ONE, TWO, "--json")
    assert str(_folder(home) / "curves.png") in answer.out


def test_comparing_changes_nothing_in_the_store(home):
    def files() -> dict[str, bytes]:
        paths = RunStore(home / "runs").root.rglob("*")
        return {str(path): path.read_bytes() for path in paths if path.is_file()}

    before = files()
    _json(home, ONE, TWO)
    assert files() == before


def test_run_that_ends_in_no_number_shows_none_in_json_too(home):
    """Where the loss is NaN the accuracies are those of an argmax of NaN."""
    rows = _rows(*ACCURACIES[THREE])
    for row in rows:
        if (row["split"], row["metric"], row["epoch"]) == ("test", "loss", 4):
            row["value"] = math.nan
    broken = RunSpec(method="trades", epochs=4)
    write_run(home / "runs", broken, rows)
    with pytest.warns(UserWarning, match="not finite after epoch 4"):
        answer = _compare_(home, ONE, broken, "--json")
    (_, row) = json.loads(answer.out, parse_constant=pytest.fail)[OUTCOME]
    assert (row["best"], row["at epoch"], row["epochs"]) == (30, 3, 4)
    assert row["last"] is row["gap"] is row["clean, last"] is None
    with pytest.warns(UserWarning, match="not finite after epoch 4"):
        listed = rofit(home, "status", "--json")
    sections = json.loads(listed.out, parse_constant=pytest.fail)
    runs = sections[f"runs in {home / 'runs'}"]
    (row,) = (row for row in runs if row["run"] == broken.run_id)
    assert (row["best"], row["last"], row["gap"]) == (30, None, None)
