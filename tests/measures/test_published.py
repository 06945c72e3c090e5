"""What is published of a method, against its rows in the list, read anew as text."""

import csv
import re
from collections import defaultdict
from pathlib import Path

import pytest

from rofit.measures import reported

LIST = Path(__file__).parents[2] / "analyses" / "reported.csv"
ROWS = list(csv.DictReader(LIST.read_text().splitlines()))
SMALL = {"resnet18", "preactresnet18"}  # the networks of the methods' own size
KEYS = sorted({(row["method"], row["dataset"], row["norm"]) for row in ROWS})
DIRECT = ("authors", "authors_log", "digitised", "second_hand")
WORDS = {"final": "last", "not_stated": "checkpoint not stated"}
ONE = re.compile(r"(?P<values>[^(]+) \((?P<source>\w+), (?P<kind>\w+), (?P<net>\w+)\)")


def published(method: str, dataset: str, norm: str) -> str:
    return reported.published(method, dataset, norm, "preact_tiny")


def _by_hand(key: tuple[str, str, str]) -> tuple[str, dict[tuple[str, ...], str]]:
    """Return the attack, and values in words by source, kind and network."""
    rows = [
        row
        for row in ROWS
        if (row["method"], row["dataset"], row["norm"]) == key and row["model"] in SMALL
    ]
    under_pgd = [row for row in rows if row["robust_attack"] == "pgd20"]
    for attack, column, of in (
        ("AutoAttack", "autoattack_acc", rows),
        ("PGD-20", "robust_acc", under_pgd),
    ):
        by_source = defaultdict(list)
        for row in of:
            if row[column]:
                word = WORDS.get(row["checkpoint"], row["checkpoint"])
                source = (row["source"], row["kind"], row["model"])
                by_source[source].append(f"{word} {float(row[column]):g}")
        if by_source:
            return attack, {
                source: ", ".join(values) for source, values in by_source.items()
            }
    return "", {}


def _taken_apart(text: str) -> tuple[str, dict[tuple[str, ...], str]]:
    attack, _, rest = text.partition(" ")
    matches = [ONE.fullmatch(phrase) for phrase in rest.split("; ") if phrase]
    assert all(matches), text
    values = {(m["source"], m["kind"], m["net"]): m["values"] for m in matches if m}
    return attack, values


@pytest.mark.parametrize("key", KEYS, ids="-".join)
def test_values_sources_and_kinds_are_those_of_the_list(key):
    expected, sources = _by_hand(key)
    attack, shown = _taken_apart(published(*key))
    assert attack == expected and len(shown) == min(2, len(sources))
    assert shown.items() <= sources.items()


@pytest.mark.parametrize("key", KEYS, ids="-".join)
def test_authors_stand_before_others_and_are_never_left_out_for_them(key):
    def distance(sources: dict[tuple[str, ...], str]) -> list[int]:
        return [DIRECT.index(kind) for _, kind, _ in sources]

    _, sources = _by_hand(key)
    _, shown = _taken_apart(published(*key))
    assert distance(shown) == sorted(distance(sources))[:2]


def test_some_are_as_they_were_read_in_the_sources():
    assert published("awp", "cifar10", "linf") == (
        "AutoAttack best 49.88, last 49.52 (pytorch_robust_awp, second_hand, resnet18)"
    )
    assert published("kd", "cifar10", "linf") == (
        "PGD-20 last 48.6 (kdswa_figure, digitised, resnet18)"
    )
    assert published("sgls", "cifar10", "linf") == (
        "AutoAttack last 50.2 (sgls_readme, authors, resnet18)"
    )
    assert published("weight_ema", "cifar10", "linf") == (
        "AutoAttack checkpoint not stated 47.94 (wot_rebuttal, second_hand, "
        "preactresnet18)"
    )


@pytest.mark.parametrize("copy", ["jpeg", "mini", "q75-v2"])
@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_copy_stands_for_its_data_set_and_for_no_other(dataset, copy):
    there = published("pgd_at", dataset, "linf")
    assert published("pgd_at", f"{dataset}-{copy}", "linf") == there != ""
    assert published("pgd_at", "cifar10", "linf") != published(
        "pgd_at", "cifar100", "linf"
    )


@pytest.mark.parametrize("dataset", ["cifar", "cifar1", "cifar10x", "my-cifar10", ""])
def test_name_that_only_looks_alike_stands_for_nothing(dataset):
    assert published("pgd_at", dataset, "linf") == ""


@pytest.mark.parametrize(
    "key",
    [
        ("nope", "cifar10", "linf"),
        ("sglr", "cifar10", "linf"),
        ("trades+sglr", "cifar10", "linf"),
        ("pgd_at", "svhn", "linf"),
        ("pgd_at", "digits", "linf"),
        ("awp", "cifar10", "l2"),
        ("pgd_at", "cifar10", "linf "),
    ],
    ids="-".join,
)
def test_what_nobody_reports_is_empty(key):
    assert published(*key) == ""


def test_larger_networks_alone_are_no_match():
    models = {row["model"] for row in ROWS if row["method"] == "mart_awp"}
    key = ("mart_awp", "cifar10", "linf")
    assert models == {"wrn34_10"} and published(*key) == ""
    assert reported.published(*key, "wrn_34_10") == (
        "AutoAttack released 54.23 (awp_readme, authors, wrn34_10)"
    )
