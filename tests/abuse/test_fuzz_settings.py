"""Specs, spec files, `--set` and command lines end in success or in one sentence."""

import random

import fuzz_settings
import pytest
from fuzz_settings import fuzz
from hostile_commands import command_line


@pytest.mark.parametrize("seed", [11, 12])
def test_hostile_settings_end_in_success_or_one_sentence(seed):
    assert fuzz(1500, seed) == []


def test_cases_of_a_seed_are_the_same_twice():
    lines = [command_line(random.Random("3-7")) for _ in range(2)]
    assert lines[0] == lines[1]


def hang():
    while True:
        pass


@pytest.mark.parametrize(
    ("ending", "fault"),
    [
        (lambda: 1 / 0, "ZeroDivisionError: 'division by zero'"),
        (hang, "does not end"),
        (lambda: "exit code 1", "exit code 1"),
    ],
)
def test_fuzzer_reports_what_may_not_be(monkeypatch, ending, fault):
    monkeypatch.setattr(fuzz_settings, "SECONDS", 1)
    kinds = {"planted": (lambda draw, home: ending(), 1)}
    monkeypatch.setattr(fuzz_settings, "KINDS", kinds)
    assert fuzz(1, 5) == [f"planted 5-0: {fault}"]
