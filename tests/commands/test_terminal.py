"""One run in words and characters, and how far a training is."""

import io
import math

import pandas as pd
import pytest
from rich.console import Console

from rofit import progress
from rofit.commands import terminal


def _logs(test: list[float], train: list[float] | None = None, first: int = 1):
    lines = {"test": ("pgd20", test), "train": ("pgd10", train or [])}
    rows = [
        {"run_id": "a", "epoch": epoch, "split": split, "attack": attack}
        | {"metric": "accuracy", "value": value}
        for split, (attack, values) in lines.items()
        for epoch, value in enumerate(values, start=first)
    ]
    return pd.DataFrame(rows)


def _grid(logs: pd.DataFrame) -> list[str]:
    """Return the rows of characters between the axis and the foot, highest first."""
    lines = terminal.robust_curve(logs).splitlines()[1:-1]
    return [line.partition("|")[2] for line in lines]


def test_curve_puts_every_epoch_at_its_height():
    grid = _grid(_logs(test=[0.0, 0.55, 1.1], train=[0.22, 1.1, 1.1]))
    assert len(grid) == 12 and {len(line) for line in grid} == {3}
    where = {
        (row, column): mark
        for row, line in enumerate(grid)
        for column, mark in enumerate(line)
        if mark != " "
    }
    # 12 rows over 110 points are 10 points apart; * lies over . where they meet
    assert where.pop((9, 0)) == "." and where.pop((0, 1)) == "."
    assert where.pop((11, 0)) == "*" and where.pop((0, 2)) == "*"
    assert list(where.values()) == ["*"] and set(where) <= {(5, 1), (6, 1)}


def test_curve_is_labelled_with_per_cent_and_epochs():
    lines = terminal.robust_curve(_logs([0.101, 0.5, 0.309], first=7)).splitlines()
    assert lines[0] == "robust accuracy: * test, . train"
    assert lines[1].startswith(" 50 % |") and lines[12].startswith(" 10 % |")
    assert lines[-1].split() == ["epoch", "7", "9"]


@pytest.mark.parametrize("values", [[0.3], [0.3, 0.3, 0.3]])
def test_curve_of_one_epoch_or_one_height_is_drawn(values):
    grid = _grid(_logs(values))
    assert "".join(grid).count("*") == len(values)
    assert {len(line) for line in grid} == {len(values)}


def test_long_curve_is_squeezed_and_keeps_both_ends():
    grid = _grid(_logs([epoch / 200 for epoch in range(200)]))
    assert {len(line) for line in grid} == {64}
    assert grid[-1][0] == "*" and grid[0][-1] == "*"


def test_best_last_and_gap_are_told_with_who_chose():
    val = _logs([0.3, 0.6, 0.5]).assign(split="val")
    logs = pd.concat([_logs([0.7, 0.5, 0.4]), val])
    assert terminal.best_last_gap_text(logs) == (
        "best 50.0 % at epoch 2 (chosen on validation), last 40.0 % at epoch 3, "
        "gap 10.0 points\n"
        "chosen on test images, as most publications do: best 70.0 % at epoch 1, "
        "gap 30.0 points"
    )
    assert "epoch 1 (chosen on test)" in terminal.best_last_gap_text(_logs([0.7, 0.4]))


def test_last_epoch_without_numbers_is_no_last_and_no_gap():
    logs = _logs([0.7, 0.4])
    logs.loc[logs["epoch"] == 2, "value"] = math.nan
    with pytest.warns(UserWarning, match="not finite after epoch 2"):
        text = terminal.best_last_gap_text(logs)
    assert "best 70.0 % at epoch 1" in text
    assert "last not finite at epoch 2, gap not finite\n" in text
    with pytest.warns(UserWarning, match="not finite after epoch 1, 2"):
        text = terminal.best_last_gap_text(logs.assign(value=math.nan))
    assert text.startswith("no epoch has an accuracy")


@pytest.mark.parametrize(("tty", "kind"), [(True, "Bar"), (False, "Lines")])
def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere(tty, kind):
    console = Console(file=io.StringIO(), force_terminal=tty)
    report = progress.report(console, "1/2 sgls seed 0", epochs=4, done=1)
    assert type(report).__name__ == kind
    with report:
        report.step(1, 1, 2)
        report.epoch(2, 0.1, 0.25)
        report.epoch(4, 0.01, 0.5)
    shown = console.file.getvalue()
    assert (
        "1/2 sgls seed 0" in shown and "robust 50.0 %" in shown and "lr 0.01" in shown
    )


@pytest.mark.parametrize("tty", [True, False])
def test_epoch_that_was_not_evaluated_shows_no_accuracy(tty):
    console = Console(file=io.StringIO(), force_terminal=tty)
    report = progress.report(console, "sgls", epochs=2, done=1)
    with report:
        report.epoch(2, 0.01, math.nan)
    shown = console.file.getvalue()
    assert "lr 0.01" in shown and "robust" not in shown and "nan" not in shown


def test_plain_lines_come_every_twenty_seconds_and_at_the_end(monkeypatch):
    clock = iter([0.0, 10.0, 21.0, 30.0, 32.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    file = io.StringIO()
    report = progress.Lines(Console(file=file, width=200), "run", epochs=6, done=2)
    for epoch in (3, 4, 5, 6):
        report.epoch(epoch, 0.1, 0.25)
    lines = file.getvalue().splitlines()
    assert lines[0] == "run  epoch 4/6  robust 25.0 %  lr 0.1  0.3 min left"
    assert len(lines) == 2 and lines[1].startswith("run  epoch 6/6")
