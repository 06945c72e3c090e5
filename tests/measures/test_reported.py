"""Published numbers: each with its source, and only beside runs of the same kind."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from rofit.commands.evaluation import accuracy_rows
from rofit.evaluation.cases import read_cases
from rofit.measures.reported import references, reported
from rofit.running.evaluate import COLUMNS, evaluation_rows
from rofit.settings.spec import RunSpec
from rofit.settings.threat import ThreatModel
from rofit.store.runs import RunFolder

SHARED = Path(__file__).resolve().parents[3] / "shared"
REFERENCE = SHARED / "reference" / "reference_numbers.csv"
KINDS = {"authors", "authors_log", "digitised", "second_hand"}
EPSILON = 8 / 255
FULL = RunSpec()  # pgd_at on CIFAR-10, PreAct ResNet-18, 200 epochs
AWP, RICE = "(awp_log, authors_log)", "(rice_log, authors_log)"


def reference_text(spec=FULL, checkpoint="best", attack="pgd20", epsilon=EPSILON):
    return references(spec, checkpoint, attack, ThreatModel(spec.norm, epsilon))


def test_every_row_says_whose_it_is_and_how_it_was_read():
    rows = reported()
    assert len(rows) > 100
    assert rows["source"].str.len().min() > 0 and set(rows["kind"]) == KINDS
    assert rows["source_url"].str.startswith("https://").all()


def test_accuracies_are_per_cent():
    names = ["clean_acc", "robust_acc", "autoattack_acc", "train_robust_acc"]
    values = reported()[names].melt()["value"].dropna()
    assert values.between(0, 100).all() and values.median() > 20
    assert reported()[names].notna().any(axis=1).all(), "a row without a number"


def test_robust_accuracy_is_never_above_clean_nor_below_autoattack():
    rows = reported()
    assert not (rows["robust_acc"] > rows["clean_acc"]).any()
    assert not (rows["autoattack_acc"] > rows["robust_acc"]).any()


def test_attack_is_named_wherever_there_is_a_robust_accuracy():
    rows = reported()
    assert (rows["robust_acc"].notna() == rows["robust_attack"].notna()).all()


def test_radii_are_fractions_or_numbers():
    for text in reported().loc[reported()["norm"] != "none", "epsilon"]:
        over, _, under = text.partition("/")
        assert 0 < float(over) / float(under or 1) <= 0.51


ANCHORS = {
    ("best", "pgd20"): f"52.79 {AWP}",
    ("last", "pgd20"): f"43.75 {AWP}",
    ("best", "pgd10"): f"53.49 {RICE}",
    ("last", "pgd10"): f"45.59 {RICE}",
    ("best", "none"): f"81.7 {AWP}; 82.92 {RICE}",
    ("last", "none"): f"84.6 {AWP}; 84.93 {RICE}",
}


@pytest.mark.parametrize("case", ANCHORS, ids=" ".join)
def test_known_numbers_come_with_source_and_kind(case):
    assert (
        reference_text(FULL, *case, 0.0 if case[1] == "none" else EPSILON)
        == ANCHORS[case]
    )


def test_autoattack_has_a_column_of_its_own():
    resnet = FULL.replace(model="resnet18")
    expected = "47.63 (pytorch_robust_rice2020, second_hand); "
    expected += "46.82 (pytorch_robust_pgd_at, second_hand)"
    assert reference_text(resnet, attack="autoattack") == expected
    assert reference_text(attack="autoattack") == ""


def test_l2_numbers_stand_beside_l2_runs_alone():
    spec = FULL.replace(norm="l2", epsilon=128 / 255, step_size=15 / 255)
    assert reference_text(spec, attack="pgd10", epsilon=128 / 255) == f"71.62 {RICE}"
    assert reference_text(spec, attack="pgd10") == ""


OTHERS = {
    "train_size": {"train_size": 1000},
    "epochs": {"epochs": 30},
    "label_noise": {"label_noise": 0.4},
    "method": {"method": "sglr"},
    "dataset": {"dataset": "digits"},
    "model": {"model": "preact_tiny"},
    "norm": {"norm": "l2", "epsilon": 0.5},
}


@pytest.mark.parametrize(
    "field",
    OTHERS,
)
def test_run_of_another_kind_has_none(field):
    other = FULL.replace(**OTHERS[field])
    for checkpoint in ("best", "last"):
        for attack in ("pgd20", "autoattack"):
            assert reference_text(other, checkpoint, attack) == ""


def test_smaller_run_has_none_on_clean_images_either():
    for field in ("train_size", "epochs", "label_noise", "model", "dataset"):
        assert (
            reference_text(FULL.replace(**OTHERS[field]), attack="none", epsilon=0.0)
            == ""
        )


def test_another_checkpoint_has_none_on_clean_images():
    for checkpoint in ("epoch-0100", "given"):
        assert reference_text(checkpoint=checkpoint, attack="none", epsilon=0.0) == ""


@pytest.mark.parametrize("checkpoint", ["epoch-0100", "given"])
def test_another_checkpoint_has_none(checkpoint):
    assert reference_text(checkpoint=checkpoint) == ""


@pytest.mark.parametrize("attack", ["pgd19", "pgd20x5", "cw20", "fgsm", "transfer"])
def test_another_attack_has_none(attack):
    assert reference_text(attack=attack) == ""


@pytest.mark.parametrize("epsilon", [7 / 255, 8.001 / 255, 0.03, 16 / 255])
def test_another_radius_has_none(epsilon):
    assert reference_text(epsilon=epsilon) == ""
    assert reference_text(epsilon=8 * (1 / 255)) != "", "rounding is no other radius"


TRAINED_OTHERWISE = {
    "radius": {"epsilon": 4 / 255, "step_size": 1 / 255},
    "width": {"width": 16},
    "test_size": {"test_size": 500},
}


@pytest.mark.parametrize("field", TRAINED_OTHERWISE)
def test_run_trained_inside_another_radius_or_of_another_size_has_none(field):
    spec = FULL.replace(**TRAINED_OTHERWISE[field])
    assert reference_text(spec, attack="none", epsilon=0.0) == ""
    assert reference_text(spec) == ""


def shown(checkpoint, folder, cases):
    """Return the rows of `rofit eval` for results that are not there yet."""
    rows = evaluation_rows(checkpoint, RunFolder(folder), cases, done=False)
    return accuracy_rows(pd.DataFrame(rows, columns=COLUMNS), RunFolder(folder))


def test_evaluation_in_another_norm_than_the_runs_has_none(tmp_path):
    subject = SimpleNamespace(spec=FULL, name="best", digest="ab12", epoch=102)
    cases = read_cases(["pgd20"], FULL, n=10_000, norm="l2", epsilons=[EPSILON])
    (row,) = shown(subject, tmp_path, cases)
    assert row["threat"] == "l2 8/255" and "reference" not in row


def test_reference_is_a_column_of_its_own_beside_the_measured(tmp_path):
    subject = SimpleNamespace(spec=FULL, name="last", digest="ab12", epoch=200)
    cases = read_cases(["pgd20", "pgd50"], FULL, n=10_000)
    rows = shown(subject, tmp_path, cases)
    assert [row["reference"] for row in rows] == [f"43.75 {AWP}", ""]
    assert {row["accuracy %"] for row in rows} == {None}, "nothing was measured"


def test_list_is_the_collection_it_was_copied_from():
    if not REFERENCE.exists():
        pytest.skip(f"no {REFERENCE.name} beside the checkout")
    there = Path(__file__).parents[2] / "analyses" / "reported.csv"
    assert there.read_bytes() == REFERENCE.read_bytes()
