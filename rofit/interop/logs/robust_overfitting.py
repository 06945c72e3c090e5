r"""Logs of locuslab/robust_overfitting and of what was made from it: AWP, MLCAT ...

    [2020/01/10 19:31:00] - Namespace(attack='pgd', attack_iters=10, ...)
    [2020/01/10 19:31:07] - Epoch \t Train Time \t ... \t Test Robust Acc
    [2020/01/10 19:37:23] - 0 \t 178.2 \t 33.7 \t 0.1000 \t 1.9526 ...
    [2020/01/10 19:37:23] - validation 1.8224 \t 0.3580 \t 2.0133 \t 0.2670

Epochs count from 0 while training: a line 0 is of one whole epoch. In evaluation mode
the number is that of the epochs done, and -1 stands where nothing was measured. Losses
and accuracies of training are on the fly; those under attack are of the training's
attack, of the evaluation's for test images. The learning rate is that of the last step.

Source: train_cifar.py, train_cifar100.py, train_svhn.py and
train_cifar_semisupervised_half.py of Rice, Wong and Kolter 2020; AT_AWP/train_*.py of
Wu et al. 2020.
"""

import re
from typing import Any

from rofit.interop.logs.foreign import (
    NOT_NAMED,
    Epochs,
    ForeignLog,
    Row,
    learning_rate,
    measurement,
)
from rofit.interop.logs.namespace import find_namespaces
from rofit.interop.logs.robust_overfitting_settings import attacks, settings_of

LAYOUT = "robust_overfitting"

# The columns of their first version, in order; a header of others names its own.
_COLUMNS = (
    "Epoch|Train Time|Test Time|LR|Train Loss|Train Acc|Train Robust Loss|"
    "Train Robust Acc|Test Loss|Test Acc|Test Robust Loss|Test Robust Acc"
).split("|")
_METRICS = {"Loss": "loss", "Acc": "accuracy"}
_IGNORED = {"Epoch", "Train Time", "Test Time"}
_WORDS = {word for name in _COLUMNS for word in name.split()}
_STAMP = re.compile(r"^\[[^\]]{4,40}\] - ")
_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|nan|inf)"
_NUMBERS = re.compile(rf"\s*{_NUMBER}(?:\s+{_NUMBER})*\s*", re.IGNORECASE)


def recognise(head: str) -> bool:
    """Return whether the first lines are of this layout."""
    header = r"Epoch\s(?:[\s\S]{0,300}?Robust\s+Acc|\s*Train Time\s+Test Time)"
    return re.search(header, head) is not None


def read(text: str) -> ForeignLog:
    """Return the log.

    Raises:
        UserError: it has no epoch.
    """
    epochs, names, last = Epochs(), list(_COLUMNS), 0
    headers = iter([values for _, values in find_namespaces(text)])
    values: dict[str, Any] = {}
    used: list[dict[str, Any]] = []  # the settings of each start that has epochs
    evaluating = trained = False
    for line in _whole_lines(text):
        if "Namespace(" in line:
            values, evaluating = next(headers, values), False
            epochs.begin_again()
        elif line.startswith("[Evaluation mode]"):
            evaluating = True
        elif _is_header(line):
            names = _names(line)
        elif line.startswith("validation "):
            numbers = _numbers(line.removeprefix("validation "))
            if last and len(numbers) == 4:
                epochs.extend(last, _validation(numbers, values))
        elif _NUMBERS.fullmatch(line) and len(_numbers(line)) > 1:
            columns = _columns(_numbers(line), names, epochs)
            number = columns.pop("Epoch", -1.0)
            if number < 0 or not number.is_integer():
                epochs.remarks.append("a line of numbers without an epoch is not taken")
                continue
            last = int(number) + (not evaluating)
            epochs.add(last, _rows(columns, values, evaluating, epochs))
            trained |= not evaluating
            used += [values] if not used or used[-1] is not values else []
    header = used[-1] if used else values
    settings, remarks = settings_of(header, trained=trained)
    epochs.remarks += [*remarks, *_changes(used)]
    return epochs.finished(settings, header)


def _whole_lines(text: str) -> list[str]:
    """Return the lines without their times, a line that was wrapped as one."""
    lines: list[str] = []
    expected = len(_COLUMNS)
    for raw in text.splitlines():
        stamp = _STAMP.match(raw)
        line = raw[stamp.end() :] if stamp else raw
        whole = _joined(lines[-1], line, expected) if lines and not stamp else None
        if whole:
            lines[-1] = whole
        elif line.strip():
            lines.append(line.strip())
        if lines and _is_header(lines[-1]):
            expected = len(_names(lines[-1]))
    return lines


def _joined(before: str, line: str, expected: int) -> str | None:
    """Return two lines as the one that they were; None if they were none.

    Args:
        before: settings, names of columns or numbers.
        line: the next line, without a time.
        expected: columns of a whole line of numbers.
    """
    if "Namespace(" in before and before.count("(") > before.count(")"):
        return before + line
    words = line.split()
    if _is_header(before) and words and set(words) <= _WORDS:
        return before + ("\t" if words[0] in ("LR", "Train", "Test") else " ") + line
    if not _NUMBERS.fullmatch(before) or not _NUMBERS.fullmatch(line):
        return None
    if len(_numbers(before)) >= expected:
        return None
    for joint in (" ", ""):  # between numbers, or within one
        if len(_numbers(before + joint + line)) == expected:
            return before + joint + line
    return None


def _is_header(line: str) -> bool:
    return re.match(r"Epoch\s*\t", line) is not None


def _names(header: str) -> list[str]:
    return [name.strip() for name in header.split("\t") if name.strip()]


def _numbers(line: str) -> list[float]:
    return [float(word) for word in line.split() if _NUMBERS.fullmatch(word)]


def _columns(
    numbers: list[float], names: list[str], epochs: Epochs
) -> dict[str, float]:
    """Return column -> number; with too few names, those of the first version."""
    if len(numbers) > len(names):
        names = list(_COLUMNS)
    if len(numbers) > len(names):
        epochs.remarks.append(f"columns after {names[-1]} have no name: not taken")
    if len(numbers) < len(names):
        epochs.remarks.append(f"lines without {names[len(numbers)]} and what follows")
    return dict(zip(names, numbers, strict=False))


def _rows(
    columns: dict[str, float], values: dict[str, Any], evaluating: bool, epochs: Epochs
) -> list[Row]:
    rows = []
    for name, value in columns.items():
        if name in _IGNORED or (evaluating and value == -1):
            continue
        if name == "LR":
            rows.append(learning_rate(value))
            continue
        match = re.fullmatch(r"(Train|Test) (Robust )?(Loss|Acc)", name)
        if match is None:
            epochs.remarks.append(f"column {name} is not taken")
            continue
        split = match[1].lower()
        row = _row(split, bool(match[2]), _METRICS[match[3]], value, values)
        rows += [row] if row else []
    return rows


def _validation(numbers: list[float], values: dict[str, Any]) -> list[Row]:
    order = [(False, "loss"), (False, "accuracy"), (True, "loss"), (True, "accuracy")]
    pairs = zip(order, numbers, strict=True)
    rows = [_row("val", *which, number, values) for which, number in pairs]
    return [row for row in rows if row]


def _row(
    split: str, robust: bool, metric: str, value: float, values: dict[str, Any]
) -> Row | None:
    """Return a row; None for what is called robust where nothing was attacked."""
    training, testing = attacks(values)
    attack = training if split == "train" else testing
    if robust and attack == "none":
        return None
    attack = (attack or NOT_NAMED) if robust else "none"
    measured = "step" if split == "train" else "epoch_end"
    return measurement(split, attack, metric, value, measured=measured)


def _changes(used: list[dict[str, Any]]) -> list[str]:
    """Return a remark for settings that a later start has changed."""
    names = {name for values in used for name in values} - {"resume", "eval"}
    changed = sorted(n for n in names if len({repr(v.get(n)) for v in used}) > 1)
    if not changed:
        return []
    return [f"starts differ in {', '.join(changed)}: settings are the last one's"]
