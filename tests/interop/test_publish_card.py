"""Every number of a model card is the store's, and no name breaks it."""

import json
import re

import pandas as pd
import pytest
from huggingface_hub import ModelCard
from publishable import ROW, TINY, evaluated, publishable, weights

from rofit import load_logs
from rofit.interop.publish.folder import publish
from rofit.interop.publish.markdown import code, header, in_255ths, table
from rofit.store.source import Source
from rofit.store.tables import read_csv


def card(folder, to, checkpoint="best"):
    """Return the text of the card, and its header as the Hub reads it."""
    publish(folder, to, checkpoint)
    text = (to / "README.md").read_text()
    return text, ModelCard.load(to / "README.md").data


def imported(folder, *unknown):
    """Make it a run that rofit did not train."""
    source = Source("checkpoint", "theirs", "net.pt", unknown=unknown)
    spec = json.loads((folder.path / "spec.json").read_text())
    folder.write_json("spec.json", spec | {"source": source.as_dict()})


def test_evaluations_stand_with_attack_radius_images_and_version(tmp_path):
    folder = publishable(tmp_path)
    evaluated(folder, "none", 0.84375)
    evaluated(folder, "autoattack", 0.4567, n=1000)
    evaluated(folder, "pgd20", 0.5, norm="l2", epsilon=0.5)
    evaluated(folder, "pgd100", 0.11, network="of other weights")
    text, data = card(folder, tmp_path / "to")
    rows = re.findall(r"^\| `(?:none|autoattack|pgd\d+)`.*$", text, re.M)
    assert rows == [
        "| `none` |  | 10,000 | 84.38 | fp32 |  |",
        "| `autoattack` | linf 8/255 | 1,000 | 45.67 | fp32 | pyautoattack 0.2.9 |",
        "| `pgd20` | l2 0.5 | 10,000 | 50.00 | fp32 |  |",
    ]
    assert "AutoAttack has not been run" not in text
    assert {r.metric_name: r.metric_value for r in data.eval_results} == {
        "accuracy, none, n = 10,000": 0.84375,
        "accuracy, autoattack linf 8/255, n = 1,000": 0.4567,
        "accuracy, pgd20 l2 0.5, n = 10,000": 0.5,
    }
    (about,) = {(r.dataset_name, r.dataset_split) for r in data.eval_results}
    assert about == ("cifar10", "test")


def test_accuracies_while_training_are_those_of_the_checkpoints_epoch(tmp_path):
    tested = {"split": "test", "attack": "pgd20", "n": 10_000} | ROW
    values = {1: 0.1, 2: 0.2345, 3: 0.3}
    rows = [{"epoch": e, "value": value} | tested for e, value in values.items()]
    rows.append({"epoch": 2, "value": 0.9, "portion": "redrawn"} | tested)
    folder = publishable(tmp_path, rows=rows)
    text, data = card(folder, tmp_path / "to")
    assert "after epoch 2 of 3" in text
    assert "after epoch 2, inside linf 8/255, in fp32:" in text
    section = text.partition("## How it was eval")[2].partition("## How it was tr")[0]
    assert re.findall(r"\d+\.\d+", section) == ["23.45"]
    (result,) = data.eval_results
    assert (result.metric_name, result.metric_value) == (
        "accuracy, pgd20 while training, n = 10,000",
        0.2345,
    )
    assert "AutoAttack has not been run" in text


def test_weights_between_two_epochs_have_no_accuracies_of_an_epochs_end(tmp_path):
    folder = publishable(tmp_path)
    weights(folder.checkpoints / "last.pt", TINY, 2, step=5)
    text, data = card(folder, tmp_path / "to", "last")
    assert "after epoch 2 of 3 and 5 steps of the next" in text
    assert data.eval_results is None and "While training" not in text


def test_what_chose_best_is_said_and_too_high_numbers_are_called_so(tmp_path):
    text, _ = card(publishable(tmp_path / "a"), tmp_path / "val")
    assert "(PGD, 20 steps) on the 1,000 validation images, which are not" in text
    folder = publishable(tmp_path / "b", TINY.replace(val_size=0))
    text, _ = card(folder, tmp_path / "test")
    assert "on the test images themselves: the accuracies above are too high" in text
    text, _ = card(folder, tmp_path / "last", "last")
    assert "Best is the first" not in text


def test_settings_are_those_of_the_spec_with_lengths_in_255ths(tmp_path):
    folder = publishable(tmp_path)
    text, _ = card(folder, tmp_path / "to")
    settings = dict(re.findall(r"^- `(\w+)`: `(.*)`$", text, re.M))
    known = {k: v for k, v in TINY.as_dict().items() if v not in ("", [], {})}
    assert settings == {k: str(v) for k, v in known.items()} | {
        "epsilon": "8/255",
        "step_size": "2/255",
    }


def test_environment_of_the_training_is_shown_as_far_as_it_is_known(tmp_path):
    folder = publishable(tmp_path)
    assert "Made with" not in card(folder, tmp_path / "without")[0]
    versions = {"torch": "2.9", "rofit": "0.0.7"}
    folder.note_environment({"device": "a card", "commit": "", "versions": versions})
    text, _ = card(folder, tmp_path / "to")
    assert "Made with:\n\n- device: `a card`\n- torch: `2.9`\n\n" in text
    assert "trained by rofit `0.0.7`." in text


def test_normalisation_is_that_of_the_network(tmp_path):
    text, _ = card(publishable(tmp_path), tmp_path / "to")
    assert "mean 0.4, 0.5, 0.6 and std 0.2, 0.25, 0.3 in input units" in text
    config = json.loads((tmp_path / "to" / "config.json").read_text())
    assert config["network"]["std"] == pytest.approx([0.2, 0.25, 0.3])
    assert (config["network"]["n_classes"], config["input_range"]) == (10, [0, 1])


def test_what_the_source_does_not_say_is_not_stated(tmp_path):
    folder = publishable(tmp_path)
    unknown = ("dataset", "epochs", "epsilon", "method", "val_size")
    imported(folder, *unknown)
    text, data = card(folder, tmp_path / "to")
    assert "which rofit did not train: it is from `theirs: net.pt`" in text
    assert f"does not say it: `{'`, `'.join(unknown)}`." in text
    stated = set(re.findall(r"^- `(\w+)`:", text, re.M))
    assert stated and not stated & set(unknown)
    for said in ("Best is the first", "PGD adversarial training", "While training"):
        assert said not in text
    assert data.datasets is None and data.eval_results is None


def test_what_was_evaluated_of_an_imported_network_is_stated(tmp_path):
    folder = publishable(tmp_path, rows=[])
    imported(folder, "dataset")
    evaluated(folder, "pgd20", 0.5)
    text, data = card(folder, tmp_path / "to")
    assert "Test images of `cifar10`" in text
    assert [r.dataset_name for r in data.eval_results] == ["cifar10"]


def test_weights_without_a_log_are_published_without_one(tmp_path):
    folder = publishable(tmp_path, rows=[])
    imported(folder)
    card(folder, tmp_path / "to")
    assert not list((tmp_path / "to").glob("logs.*"))


def test_header_names_data_set_of_the_hub_and_leaves_the_licence_open(tmp_path):
    text, data = card(publishable(tmp_path), tmp_path / "to")
    assert data.datasets == ["uoft-cs/cifar10"] and data.license is None
    assert data.metrics == ["accuracy"] and "# license: yours to choose\n---" in text
    folder = publishable(tmp_path / "b", TINY.replace(dataset_digest="ab12"))
    assert card(folder, tmp_path / "folders")[1].datasets is None


HOSTILE = "--- `a``b` | <b>: #'\"&*!%@ {x} [y](z) \U0001f600 é: - null"


def test_hostile_names_are_read_as_they_are(tmp_path):
    folder = publishable(tmp_path, TINY.replace(dataset=HOSTILE))
    evaluated(folder, "pgd20", 0.5)
    text, data = card(folder, tmp_path / "to")
    assert data.model_name == folder.path.name
    assert {r.dataset_name for r in data.eval_results} == {HOSTILE}
    assert f"Test images of ```{HOSTILE}```;" in text
    (row,) = [line for line in text.splitlines() if line.startswith("| `pgd20`")]
    assert row.count("|") == 7


@pytest.mark.parametrize("name", ["a\nb: c", "\u2028x\x85", "\udcff", "---\n# x"])
def test_what_cannot_be_printed_is_escaped_in_header_and_text(name):
    text = header({"key": name})
    assert text.count("\n") == 2 and text.encode()
    assert "\n" not in code(name) and code(name).encode()


def test_cells_keep_their_number_whatever_is_in_them():
    assert table([{"a": code("x|y"), "b": "z"}]).splitlines()[-1] == r"| `x\|y` | z |"


def test_lengths_that_are_no_255ths_stay_as_they_are():
    assert [in_255ths(v) for v in (4 / 255, 0.031, 128 / 255, 1.0)] == [
        "4/255",
        "0.031",
        "128/255",
        "255/255",
    ]


def test_logs_are_those_of_the_run_in_both_forms(tmp_path):
    folder = publishable(tmp_path)
    evaluated(folder, "pgd20", 0.5)
    publish(folder, tmp_path / "to")
    logs = load_logs(tmp_path / "runs", [folder.path.name])
    columns = pd.read_parquet(tmp_path / "to" / "logs.parquet")
    text = read_csv(tmp_path / "to" / "logs.csv")
    assert list(columns) == list(text) == list(logs) and len(logs) == len(text)
    for table_ in (columns, text):
        for name in ("epoch", "split", "attack", "value", "n", "epsilon", "run_id"):
            assert table_[name].tolist() == logs[name].tolist(), name
    assert [tuple(drops) for drops in columns["drops"]] == logs["drops"].tolist()
