"""Tables, JSON lines and event files: which column is what, epochs, per cent."""

import json

import pytest

from rofit.errors import UserError
from rofit.interop.logs.reading import read_log
from rofit.interop.logs.tags import parse_columns, parse_tag

COLUMNS = parse_columns(
    (
        "epoch=ep",
        "test/pgd20/accuracy=adv acc",
        "test/none/accuracy=acc",
        "train/learning_rate=lr",
    )
)
CSV = "ep,lr,acc,adv acc,name\n0,0.1,31.02,25.17,a\n1,0.1,38.65,28.59,b\n2,0.01,40,,c\n"


def _read(tmp_path, text, columns=None, name="log.csv"):
    path = tmp_path / name
    path.write_text(text)
    return read_log(path, columns or {})


def _curve(log, tag):
    split, attack, metric = (
        (*tag.split("/"),) if tag.count("/") == 2 else ("train", None, tag)
    )
    return {
        epoch: row["value"]
        for epoch, rows in log.rows.items()
        for row in rows
        if (row["split"], row.get("attack"), row["metric"]) == (split, attack, metric)
    }


def test_table_is_read_by_the_columns_that_the_user_names(tmp_path):
    log, layout, *_ = _read(tmp_path, CSV, COLUMNS)
    assert layout == "csv"
    assert _curve(log, "test/pgd20/accuracy") == {1: 0.2517, 2: 0.2859}
    assert _curve(log, "test/none/accuracy") == {1: 0.3102, 2: 0.3865, 3: 0.40}
    assert _curve(log, "learning_rate") == {1: 0.1, 2: 0.1, 3: 0.01}
    assert "ep from 0: 0 is taken as epoch 1" in log.remarks
    assert "per cent: acc, adv acc" in log.remarks


@pytest.mark.parametrize("separator", ["\t", ";", " , "])
def test_other_separators_and_times_before_lines_are_understood(tmp_path, separator):
    text = CSV.replace(",", separator)
    lines = "".join(f"[2020/01/10 19:31:00] - {line}\n" for line in text.splitlines())
    for written in (text, lines):
        log = _read(tmp_path, written, COLUMNS).log
        assert _curve(log, "test/pgd20/accuracy") == {1: 0.2517, 2: 0.2859}


def test_tags_of_our_own_need_no_names_whatever_run_stands_before_them(tmp_path):
    text = (
        '"Step","mine - test/pgd20/accuracy","mine - test/pgd20/accuracy__MIN",'
        '"mine - test/pgd20/accuracy__MAX","train/gradient_norm"\n'
        '"1","0.31","0.30","0.32","2.5"\n"2","0.40","0.30","0.41","2.25"\n'
    )
    log = _read(tmp_path, text).log
    assert _curve(log, "test/pgd20/accuracy") == {1: 0.31, 2: 0.40}
    assert _curve(log, "gradient_norm") == {1: 2.5, 2: 2.25}
    assert sum(len(rows) for rows in log.rows.values()) == 4


def test_two_runs_in_one_export_are_refused_until_one_is_named(tmp_path):
    text = "Step,a - test/pgd20/accuracy,b - test/pgd20/accuracy\n1,0.3,0.4\n"
    with pytest.raises(UserError, match="are both test/pgd20/accuracy: choose one"):
        _read(tmp_path, text)
    columns = parse_columns(("test/pgd20/accuracy=b - test/pgd20/accuracy",))
    assert _curve(_read(tmp_path, text, columns).log, "test/pgd20/accuracy") == {1: 0.4}


def test_json_lines_of_steps_and_epochs_keep_each_epochs_last_numbers(tmp_path):
    lines = [
        {"epoch": 1, "loss": 2.0, "test/none/accuracy": 0.2},
        {"epoch": 1, "train/none/loss": 1.5, "note": "half", "ok": True},
        {"epoch": 1, "train/none/loss": 1.25},
        {"epoch": 2, "train/none/loss": float("nan"), "test/none/accuracy": 0.3},
    ]
    text = "\n".join(map(json.dumps, lines)) + "\n\n"
    log, layout, *_ = _read(tmp_path, text, name="log.jsonl")
    assert layout == "jsonl"
    assert _curve(log, "train/none/loss") == {1: 1.25, 2: None}
    assert _curve(log, "test/none/accuracy") == {1: 0.2, 2: 0.3}
    assert "values that are not finite in epoch 2" in log.remarks


def test_steps_that_are_no_epochs_are_lines_in_order_and_that_is_said(tmp_path):
    text = "Step,test/none/accuracy\n391,0.2\n782,0.3\n1173,0.4\n"
    log = _read(tmp_path, text).log
    assert _curve(log, "test/none/accuracy") == {1: 0.2, 2: 0.3, 3: 0.4}
    assert any("Step is no count of epochs" in remark for remark in log.remarks)


def test_table_that_begins_again_keeps_the_later_lines_and_says_so(tmp_path):
    text = "epoch,test/none/accuracy\n1,0.1\n2,0.2\nepoch,test/none/accuracy\n1,0.3\n"
    log = _read(tmp_path, text).log
    assert _curve(log, "test/none/accuracy") == {1: 0.3, 2: 0.2}
    assert "epochs go back: of each, the last line is taken" in log.remarks


@pytest.mark.parametrize(
    ("text", "pairs", "sentence"),
    [
        (CSV, (), "none of the columns 'ep', 'lr', 'acc', 'adv acc', 'name' says"),
        (CSV, ("test/none/accuracy=nix",), "there is no column 'nix'; there are 'ep'"),
        ("a,a\n1,2\n", ("test/none/accuracy=a",), "two columns are called 'a'"),
        ("epoch,test/none/accuracy\n1.5,0.1\n", (), "epoch must be whole numbers"),
        ("epoch,test/none/accuracy\n1,130\n", (), "must be fractions or per cent"),
        ("epoch,test/none/accuracy\n99999999,0.1\n", (), "epochs of at most 1,000,000"),
        ('{"a": 1}\nnix\n', ("test/none/loss=a",), "line 2 is no JSON object"),
        (",".join(f"c{n}" for n in range(2000)) + "\n" + ",".join("1" * 2000) + "\n",
         (), "expected at most 1,000 columns, got 2,000"),
    ],
)  # fmt: skip
def test_table_that_cannot_be_read_is_refused_in_words(tmp_path, text, pairs, sentence):
    with pytest.raises(UserError, match=sentence):
        _read(tmp_path, text, parse_columns(pairs))


@pytest.mark.parametrize(
    ("pair", "sentence"),
    [
        ("acc", "expects ours=theirs, got 'acc'"),
        ("=acc", "expects ours=theirs"),
        ("accuracy=acc", "before the equals sign, got 'accuracy'"),
        ("test/accuracy=acc", "before the equals sign"),
        ("dev/none/accuracy=acc", "before the equals sign"),
    ],
)
def test_pair_that_says_nothing_is_refused(pair, sentence):
    with pytest.raises(UserError, match=sentence):
        parse_columns((pair,))
    with pytest.raises(UserError, match="twice"):
        parse_columns(("epoch=a", "epoch=b"))


def test_tag_reads_back_as_it_is_written():
    for text in ("test/pgd20/accuracy", "train/learning_rate", "val/none/loss"):
        assert str(parse_tag(text)) == text


@pytest.fixture
def events(tmp_path):
    """A folder of event files that TensorBoard's own writer has made."""
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path / "events")) as writer:
        for epoch, accuracy in enumerate((0.25, 0.5, 0.75)):
            writer.add_scalar("test/pgd20/accuracy", accuracy, epoch)
            writer.add_scalar("robust", 100 * accuracy, epoch, new_style=True)
    return tmp_path / "events"


def test_event_files_are_read_by_their_tags(events):
    columns = parse_columns(("val/pgd10/accuracy=robust",))
    for path in (events, next(events.iterdir())):
        log, layout, file, _ = read_log(path, columns)
        assert (layout, file) == ("tensorboard", path.name)
        assert _curve(log, "test/pgd20/accuracy") == {1: 0.25, 2: 0.5, 3: 0.75}
        assert _curve(log, "val/pgd10/accuracy") == {1: 0.25, 2: 0.5, 3: 0.75}


def test_event_files_without_tensorboard_say_what_to_install(events, monkeypatch):
    for name in ("tensorboard.backend.event_processing", "tensorboard.util"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(UserError, match=r"pip install 'rofit\[tensorboard\]'"):
        read_log(events, {})


def test_event_file_that_is_none_has_no_scalars(tmp_path):
    pytest.importorskip("tensorboard")
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(b"\0" * 100)
    with pytest.raises(UserError, match="it has no scalars"):
        read_log(path, {})
