"""`rofit import log`: logs become runs of the store, and what is unknown stays so."""

import gzip
import json
import math
from pathlib import Path

import pandas as pd
import pytest
from command_line import is_one_sentence, rofit
from damage_cases import flip
from log_examples import EXAMPLES, HEADER, NAMESPACE, line, stamped

from rofit import load_logs
from rofit.interop.logs import importing
from rofit.interop.logs.reading import LARGEST_FILE, read_log
from rofit.measures.metrics import best_last_gap, compare
from rofit.settings.knobs import knob_types
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunStore

SHARED = next(
    (p / "shared" for p in Path(__file__).parents if (p / "shared").is_dir()), Path()
)
REFERENCE = SHARED / "reference"
CSV = "epoch,lr,robust\n1,0.1,0.30\n2,0.1,0.50\n3,0.01,0.40\n"


def _import(home, text, *words, name="output.log"):
    path = home / name
    path.write_text(text)
    return rofit(home, "import", "log", path, *words)


def _rows(answer):
    assert answer.code == 0, answer.err
    return json.loads(answer.out)["runs"]


def _logs(home, run):
    return load_logs(home / "runs", [run])


@pytest.mark.parametrize("name", EXAMPLES)
def test_import_keeps_the_rows_and_leaves_unsaid_fields_unknown(tmp_path, name):
    example = EXAMPLES[name]
    (row,) = _rows(_import(tmp_path, example.text, "--json"))
    logs = _logs(tmp_path, row["run"])
    folder = RunStore(tmp_path / "runs").folder(row["run"])
    assert folder.source is not None
    assert folder.source.layout == row["layout"] == example.layout
    logged = read_log(tmp_path / "output.log", {}).log.settings
    assert set(folder.source.unknown) == set(knob_types(RunSpec)) - set(logged)
    for field in set(folder.source.unknown) - {"method_params"}:
        assert logs[field].isna().all(), "a default would pose as a fact"
    for field, value in example.settings.items():
        if field != "method_params":
            assert set(logs[field]) == {value}
    assert logs["source"].unique() == [f"{example.layout}: output.log"]
    for epoch, values in example.rows.items():
        for tag, value in values.items():
            split, attack, metric = tag.split("/")
            rows = logs[(logs["epoch"] == epoch) & (logs["metric"] == metric)]
            rows = rows[rows["split"] == split.split()[-1]]
            rows = rows[rows["attack"] == attack] if attack else rows
            assert value in set(rows["value"])
    assert rofit(tmp_path, "doctor").code == 0


def test_best_last_gap_of_a_log_are_those_that_its_numbers_have(tmp_path):
    (row,) = _rows(_import(tmp_path, EXAMPLES["robust_overfitting"].text, "--json"))
    outcome = best_last_gap(_logs(tmp_path, row["run"])).iloc[0]
    assert tuple(outcome[["best_epoch", "best", "last"]]) == (2, 0.2561, 0.2504)
    assert outcome["gap"] == pytest.approx(0.0057)
    assert (row["best"], row["last"], row["epochs"]) == (25.6, 25.0, "3/3")


def test_validation_images_are_counted_where_they_are_asked_for(tmp_path):
    (row,) = _rows(_import(tmp_path, EXAMPLES["fastat"].text, "--json"))
    logs = _logs(tmp_path, row["run"])
    assert best_last_gap(logs).empty
    outcome = best_last_gap(logs, split="val").iloc[0]
    assert tuple(outcome[["best_epoch", "best", "last"]]) == (1, 0.3070, 0.3)
    assert (row["epochs"], row["best"]) == ("2/2", None)


def test_user_says_what_the_log_does_not(tmp_path):
    words = "--method trades --dataset cifar10 --model wrn_34_10 --attack pgd20 --json"
    words += " --set seed=3 --set epsilon=8/255"
    (row,) = _rows(_import(tmp_path, EXAMPLES["trades"].text, *words.split()))
    assert row["run"].startswith("trades-cifar10-") and row["seed"] == 3
    logs = _logs(tmp_path, row["run"])
    assert set(logs["attack"].dropna()) == {"none", "pgd20"}
    assert set(logs["eval_steps"]) == {20} and set(logs["epsilon"]) == {8 / 255}
    assert logs["lr"].isna().all()


def test_user_cannot_contradict_the_log(tmp_path):
    text = EXAMPLES["robust_overfitting"].text
    is_one_sentence(_import(tmp_path, text, "--set", "seed=3"), "the log says seed 0")
    is_one_sentence(
        _import(tmp_path, text, "--set", "colour=3"), "--set names no field of a run"
    )
    is_one_sentence(
        _import(tmp_path, text, "--set", "method=a", "--method", "b"), "give one"
    )
    assert not list((tmp_path / "runs").glob("*"))


def test_same_file_is_imported_once_under_whatever_name(tmp_path):
    text = EXAMPLES["sgls"].text
    (first,) = _rows(_import(tmp_path, text, "--json"))
    again = _import(tmp_path, text, "--json", "--method", "mine", name="copy.log")
    assert _rows(again) == [first]
    assert "copy.log is in the store already" in again.err
    assert len(RunStore(tmp_path / "runs").runs()) == 1


def test_import_that_was_killed_is_made_anew(tmp_path, monkeypatch):
    path = tmp_path / "output.log"
    path.write_text(EXAMPLES["sgls"].text)
    store = RunStore(tmp_path / "runs")

    def killed(*arguments, **details):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(importing.RunFolder, "event", killed)
        importing.import_log(path, store, importing.Supplied())
    imported = importing.import_log(path, store, importing.Supplied())
    assert imported.new
    logs = load_logs(store.root)
    assert not logs.duplicated(["epoch", "split", "attack", "metric"]).any()
    assert rofit(tmp_path, "doctor").code == 0


def test_log_of_a_training_that_did_not_end_is_partial(tmp_path):
    text = "\n".join(EXAMPLES["robust_overfitting"].text.splitlines()[:4])
    (row,) = _rows(_import(tmp_path, text, "--json"))
    assert (row["state"], row["epochs"]) == ("partial", "2/3")


def test_log_that_lacks_epochs_is_sound_and_a_damaged_one_is_not(tmp_path):
    lines = [line(epoch, "0.1 2.2 0.1 2.3 0.1 2.0 0.2 2.1 0.2") for epoch in (0, 2)]
    (row,) = _rows(_import(tmp_path, stamped(NAMESPACE, HEADER, *lines), "--json"))
    assert rofit(tmp_path, "doctor").code == 0
    assert sorted(_logs(tmp_path, row["run"])["epoch"].unique()) == [1, 3]
    run = tmp_path / "runs" / row["run"]
    (run / "epochs.parquet").unlink()
    flip(run / "epochs.jsonl")
    damaged = rofit(tmp_path, "doctor")
    assert damaged.code == 1 and "epochs.jsonl" in damaged.out


def test_logs_stand_beside_our_own_in_compare_show_and_status(tmp_path):
    (one,) = _rows(_import(tmp_path, EXAMPLES["robust_overfitting"].text, "--json"))
    words = ("--columns", "test/pgd20/accuracy=robust", "--json")
    (two,) = _rows(_import(tmp_path, CSV, *words, name="log.csv"))
    answer = rofit(tmp_path, "compare", one["run"], two["run"], "--json")
    sections = json.loads(answer.out)
    fields = {row["field"]: row for row in sections["what differs"]}
    assert fields["seed"][one["run"]] == 0 and fields["seed"][two["run"]] is None
    outcome = sections["test robust accuracy, %"]
    assert [row["best"] for row in outcome] == [25.61, 50]
    drawn = pd.read_csv(Path(sections["curves"]).with_name("table.csv"))
    assert set(drawn["run"]) == {
        f"{one['run']} (robust_overfitting: output.log)",
        f"{two['run']} (csv: log.csv)",
    }
    shown = rofit(tmp_path, "show", two["run"]).out
    assert "csv: log.csv" in shown and "unknown" in shown and "PGD" not in shown
    status = json.loads(rofit(tmp_path, "status", "--scale", "smoke", "--json").out)
    runs = next(rows for title, rows in status.items() if title.startswith("runs in"))
    assert [row["seed"] for row in runs] == [0, None]
    table = compare(load_logs(tmp_path / "runs"), by=["method"])
    assert table["best"].tolist() == [0.2561, 0.5]


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("a.log", b"", "it is empty"),
        ("a.log", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, "it is no text"),
        ("a.log", b"Epoch\0" * 9, "it is no text"),
        ("a.log", gzip.compress(b"x", mtime=0), "it is packed (gzip); unpack it first"),
        ("a.log", b"<!DOCTYPE html><html>", "it is a web page; download the file"),
        ("a.log", b"once upon a time\nthere was\n", "no layout that is known (robust_"),
        ("a.log", b"9" * 100_000, "no layout that is known"),
        ("a.log", b"(" * 100_000, "no layout that is known"),
        ("a.log", b"Namespace(" * 20_000, "no layout that is known"),
        ("a.jsonl", b'{"a":' * 50_000, "no layout that is known"),
        ("a.csv", b",".join(b"c%d" % n for n in range(1_000_000)) + b"\n1,2\n",
         "no layout that is known"),
        ("a.csv", b",".join(b"c%d" % n for n in range(20_000)) + b"\n1,2\n",
         "expected at most 1,000 columns, got 20,000"),
        ("a.log", b"Epoch " * 50_000, "no layout that is known"),
        ("a.log", b"Epoch \tTest Robust Acc\n" + b"9" * 100_000 + b"x\n", "no epoch"),
        ("a.log", b"Epoch \tTest Robust Acc\n" + b"Namespace(" * 20_000, "no epoch"),
        ("a.log", b"Epoch: [1][1/1] Prec@1\n" + b"Epoch: [1]" * 9_000, "no epoch"),
        ("a.csv", b"a,b\n" + b'"' + b"x" * 200_000 + b'",2\n', "a.csv: "),
    ],
)  # fmt: skip
def test_file_that_is_no_log_is_refused_in_one_sentence(tmp_path, name, data, sentence):
    (tmp_path / name).write_bytes(data)
    is_one_sentence(rofit(tmp_path, "import", "log", tmp_path / name), sentence)


def test_file_that_is_too_large_or_none_is_refused(tmp_path):
    with open(tmp_path / "large.log", "wb") as file:
        file.truncate(LARGEST_FILE + 1)
    for name, sentence in (
        ("large.log", "expected a log of at most 64 MB"),
        ("nix.log", "there is no file"),
        (".", "is a folder without event files"),
    ):
        is_one_sentence(rofit(tmp_path, "import", "log", tmp_path / name), sentence)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_text_in_another_encoding_and_with_colours_is_the_same_log(tmp_path, encoding):
    text = "\x1b[32mdébut\x1b[0m\r\n" + EXAMPLES["sgls"].text.replace("\n", "\r\n")
    (tmp_path / "a.log").write_bytes(text.encode(encoding))
    answer = rofit(tmp_path, "import", "log", tmp_path / "a.log", "--json")
    logs = _logs(tmp_path, _rows(answer)[0]["run"])
    assert best_last_gap(logs).iloc[0]["best"] == 0.2859


REFERENCE_LOGS = sorted(REFERENCE.glob("*-logs/*.log"))


@pytest.mark.skipif(not REFERENCE_LOGS, reason="no logs of others beside the checkout")
def test_logs_of_others_have_the_best_last_and_gap_that_were_read_from_them(tmp_path):
    answer = rofit(tmp_path, "import", "log", *REFERENCE_LOGS, "--json")
    assert len(_rows(answer)) == len(REFERENCE_LOGS)
    logs = load_logs(tmp_path / "runs")
    outcome = best_last_gap(logs)
    specs = logs.drop_duplicates("run_id").set_index("run_id")
    numbers = pd.read_csv(REFERENCE / "reference_numbers.csv")
    numbers = numbers[numbers["kind"] == "authors_log"].set_index("checkpoint")
    compared = 0
    for run, spec in specs.iterrows():
        attack = f"pgd{int(spec['eval_steps'])}"
        same = (numbers["method"] == spec["method"]) & (numbers["norm"] == spec["norm"])
        same &= numbers["dataset"] == spec["dataset"]
        rows = numbers[same & (numbers["robust_attack"] == attack)]
        if rows.empty or "cosine" in spec["source"]:  # another schedule
            continue
        best, last = rows.loc["best"], rows.loc["final"]
        assert round(100 * outcome.loc[run, "best"], 2) == best["robust_acc"]
        assert round(100 * outcome.loc[run, "last"], 2) == last["robust_acc"]
        if not math.isnan(best["best_epoch"]):
            assert outcome.loc[run, "best_epoch"] == best["best_epoch"] + 1
        compared += 1
    assert compared == 5
