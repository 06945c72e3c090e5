"""Every layout of logs reads its own example as written, and no other's."""

import re

import pytest
from log_examples import EXAMPLES, HEADER, NAMESPACE, line, stamped

from rofit.errors import UserError
from rofit.interop.logs.foreign import fraction
from rofit.interop.logs.reading import LAYOUTS, read_log
from rofit.settings.spec import RunSpec

NUMBERS = "0.1000 2.2074 0.1775 2.3208 0.1319 2.0952 0.2303 2.1630 0.2002"
WORSE = "0.1000 2.2074 0.1775 2.3208 0.1319 2.0952 0.2303 2.1630 0.1002"


def _read(tmp_path, text, columns=None):
    path = tmp_path / "output.log"
    path.write_text(text)
    return read_log(path, columns or {})


def _by_name(rows):
    names = [f"{row['checkpoint']} " if "checkpoint" in row else "" for row in rows]
    tags = ["/".join([r["split"], r.get("attack", ""), r["metric"]]) for r in rows]
    named = [name + tag for name, tag in zip(names, tags, strict=True)]
    assert len(set(named)) == len(named), "one row a number"
    return dict(zip(named, (row["value"] for row in rows), strict=True))


@pytest.mark.parametrize("name", EXAMPLES)
def test_layout_reads_what_its_program_printed(tmp_path, name):
    example = EXAMPLES[name]
    log, layout, file, sha256 = _read(tmp_path, example.text)
    assert (layout, file) == (example.layout, "output.log")
    assert example.settings.items() <= log.settings.items()
    assert list(log.rows) == list(range(1, max(example.rows) + 1))
    for epoch, rows in example.rows.items():
        values = _by_name(log.rows[epoch])
        assert rows.items() <= values.items()
    first = _by_name(log.rows[1])
    assert set(first) == set(example.rows[1]), "and nothing else"
    RunSpec(**log.settings)  # all of them are fields, in their ranges


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_has_an_example_that_it_alone_recognises(name):
    texts = [e.text for e in EXAMPLES.values() if e.layout == name]
    others = [e.text for e in EXAMPLES.values() if e.layout != name]
    assert texts and all(LAYOUTS[name].recognise(text) for text in texts)
    assert not any(LAYOUTS[name].recognise(text) for text in others)


@pytest.mark.parametrize("name", EXAMPLES)
def test_printed_numbers_are_kept_to_the_last_digit(tmp_path, name):
    """Every value stands in the text, as a number or as a count of images."""
    text = EXAMPLES[name].text
    printed = [float(n) for n in re.findall(r"-?\d+\.\d+(?:[eE]-?\d+)?", text)]
    counts = [int(a) / int(b) for a, b in re.findall(r"Accuracy: (\d+)/(\d+)", text)]
    errors = [1 - int(n) / 10_000 for n in re.findall(r"tensor\((\d+)\.,", text)]
    known = [*printed, *(p / 100 for p in printed), *counts, *errors]
    for rows in _read(tmp_path, text).log.rows.values():
        for row in rows:
            assert min(abs(row["value"] - number) for number in known) < 1e-12


def test_later_start_takes_the_place_of_the_earlier_and_says_so(tmp_path):
    text = stamped(
        NAMESPACE, HEADER, line(0, NUMBERS), line(1, NUMBERS), NAMESPACE,
        "Resuming at epoch 1", HEADER, line(1, WORSE), line(2, NUMBERS),
    )  # fmt: skip
    log = _read(tmp_path, text).log
    tests = [_by_name(rows)["test/pgd20/accuracy"] for rows in log.rows.values()]
    assert tests == [0.2002, 0.1002, 0.2002]
    assert "epoch 2 more than once: the last is taken" in log.remarks


def test_epochs_of_an_abandoned_start_alone_are_named(tmp_path):
    lines = [line(epoch, NUMBERS) for epoch in range(3)]
    text = stamped(NAMESPACE, HEADER, *lines, NAMESPACE, HEADER, line(0, WORSE))
    log = _read(tmp_path, text).log
    assert "epochs 2 and 3 only from a start before the last one" in log.remarks


def test_missing_epochs_and_values_that_are_no_numbers_are_named(tmp_path):
    bad = NUMBERS.replace("2.1630", "nan")
    text = stamped(NAMESPACE, HEADER, line(0, NUMBERS), line(3, bad))
    log = _read(tmp_path, text).log
    assert list(log.rows) == [1, 4]
    assert "epochs 2 and 3 missing" in log.remarks
    assert "values that are not finite in epoch 4" in log.remarks
    assert _by_name(log.rows[4])["test/pgd20/loss"] is None


@pytest.mark.parametrize("cut", [5, 30, 48, 49, 50, 60])
@pytest.mark.parametrize("times", [True, False])
def test_line_that_was_wrapped_anywhere_is_one(tmp_path, cut, times):
    whole = line(0, NUMBERS)
    text = stamped(NAMESPACE, HEADER, f"{whole[:cut]}\n{whole[cut:]}")
    text += stamped(line(1, WORSE))
    if not times:
        text = re.sub(r"\[[^\]]*\] - ", "", text)
    rows = _read(tmp_path, text).log.rows
    assert list(rows) == [1, 2]
    values = _by_name(rows[1])
    assert len(values) == 9 and values["test/pgd20/accuracy"] == 0.2002


def test_settings_and_names_of_columns_that_were_wrapped_are_one(tmp_path):
    half = len(NAMESPACE) // 2
    words = HEADER.index("Train Robust Acc")
    text = stamped(
        f"{NAMESPACE[:half]}\n{NAMESPACE[half:]}",
        f"{HEADER[:words]}\n{HEADER[words:]}",
        line(0, NUMBERS),
    )
    log = _read(tmp_path, text).log
    assert (
        log.settings
        == _read(tmp_path, stamped(NAMESPACE, HEADER, line(0, NUMBERS))).log.settings
    )
    assert _by_name(log.rows[1])["test/pgd20/accuracy"] == 0.2002


def test_what_is_written_between_the_lines_is_no_number(tmp_path):
    noise = "Traceback (most recent call last):\n  File 'train.py', line 12\n"
    text = stamped(NAMESPACE, HEADER, line(0, NUMBERS)) + noise
    text += stamped(line(1, WORSE))
    rows = _read(tmp_path, text).log.rows
    assert [_by_name(r)["test/pgd20/accuracy"] for r in rows.values()] == [
        0.2002,
        0.1002,
    ]


def test_columns_that_are_missing_or_without_a_name_are_said(tmp_path):
    few = HEADER.replace(" \t Train Robust Loss \t Train Robust Acc", "")
    numbers = "0.1000 2.2074 0.1775 2.0952 0.2303 2.1630 0.2002"
    rows = _read(tmp_path, stamped(NAMESPACE, few, line(0, numbers))).log.rows
    assert _by_name(rows[1])["test/pgd20/accuracy"] == 0.2002
    assert "train/pgd10/accuracy" not in _by_name(rows[1])
    more = _read(tmp_path, stamped(NAMESPACE, HEADER, line(0, NUMBERS + " 0.3"))).log
    assert "columns after Test Robust Acc have no name: not taken" in more.remarks
    less = _read(tmp_path, stamped(NAMESPACE, HEADER, line(0, NUMBERS[:-7]))).log
    assert "lines without Test Robust Acc and what follows" in less.remarks


def test_numbers_without_an_epoch_are_not_taken(tmp_path):
    text = stamped(NAMESPACE, HEADER, line(0, NUMBERS), "0.3 0.4 0.5")
    log = _read(tmp_path, text).log
    assert list(log.rows) == [1]
    assert "a line of numbers without an epoch is not taken" in log.remarks


def test_accuracy_of_half_an_epoch_is_not_the_epochs(tmp_path):
    text = EXAMPLES["sgls"].text
    end = text.index("Epoch: [2]")
    half = text[end:].partition("\n")[0].replace("391/391", "150/391")
    assert list(_read(tmp_path, text[:end] + half).log.rows) == [1]


def test_short_header_of_mlcat_stands_for_the_columns_of_the_first_version(tmp_path):
    few = "Epoch \t Train Time \t Test Time \t LR"
    log, layout, *_ = _read(
        tmp_path, stamped(NAMESPACE, few, line(0, NUMBERS + " 0.3 0.4 0.5"))
    )
    assert layout == "robust_overfitting"
    assert _by_name(log.rows[1])["test/pgd20/accuracy"] == 0.2002
    assert "columns after Test Robust Acc have no name: not taken" in log.remarks


def test_validation_line_is_of_the_epoch_before_it(tmp_path):
    validation = "validation 1.8224 \t 0.3580 \t 2.0133 \t 0.2670"
    text = stamped(NAMESPACE, HEADER, line(0, NUMBERS), validation)
    values = _by_name(_read(tmp_path, text).log.rows[1])
    assert values["val/none/accuracy"] == 0.3580
    assert values["val/pgd20/accuracy"] == 0.2670


def test_evaluation_of_a_checkpoint_is_of_the_epochs_done_and_says_no_training(
    tmp_path,
):
    numbers = "-1.0000 -1.0000 -1.0000 -1.0000 -1.0000 0.6297 0.8423 0.8940 0.5502"
    text = stamped(
        NAMESPACE,
        "Resuming at epoch 76",
        "[Evaluation mode]",
        HEADER,
        line(76, numbers),
    )
    log = _read(tmp_path, text).log
    assert list(log.rows) == [76]
    assert set(_by_name(log.rows[76])) == {
        "test/none/loss", "test/none/accuracy", "test/pgd20/loss", "test/pgd20/accuracy"
    }  # fmt: skip
    assert not {"method", "lr", "attack_steps"} & set(log.settings)
    assert log.settings["eval_steps"] == 20


def test_what_is_called_robust_without_an_attack_is_not_taken(tmp_path):
    text = stamped(NAMESPACE.replace("'pgd'", "'none'"), HEADER, line(0, NUMBERS))
    log = _read(tmp_path, text).log
    attacks = {row.get("attack") for row in log.rows[1]}
    assert attacks == {None, "none"}
    assert log.settings["method"] == "standard_awp"


@pytest.mark.parametrize(
    ("change", "method", "params"),
    [
        (("awp_iter=1", "awp_iter=0"), "pgd_at", {}),
        (("cutout=False, cutout_len=None", "cutout=True, cutout_len=14"),
         "awp_cutout", {"awp_gamma": 0.01, "awp_start": 0, "cutout_len": 14}),
        (("seed=0", "trick=1, seed=0"), None, None),
    ],
)  # fmt: skip
def test_method_is_what_the_header_says_or_unknown(tmp_path, change, method, params):
    text = stamped(NAMESPACE.replace(*change), HEADER, line(0, NUMBERS))
    log = _read(tmp_path, text).log
    assert log.settings.get("method") == method
    assert log.settings.get("method_params") == params
    assert method or any("method unknown: trick" in remark for remark in log.remarks)


def test_radius_in_other_units_is_left_unknown(tmp_path):
    text = stamped(
        NAMESPACE.replace("epsilon=8", "epsilon=0.031"), HEADER, line(0, NUMBERS)
    )
    log = _read(tmp_path, text).log
    assert "epsilon" not in log.settings
    assert any("epsilon 0.031" in remark for remark in log.remarks)


def test_per_cent_becomes_the_float_nearest_to_what_was_printed():
    for hundredths in range(10_001):
        text = f"{hundredths / 100:.2f}"
        assert fraction(text) == float(f"{hundredths / 10_000:.4f}")


def test_a_log_without_epochs_is_refused(tmp_path):
    with pytest.raises(UserError, match="output.log: it has no epoch with numbers"):
        _read(tmp_path, stamped(NAMESPACE, HEADER))
