"""The ``output.log`` of the FastAT Benchmark.

    Method: pgd_at
    Seed: 0
    ============ Epoch 0 ============
    Training loss: 2.0820
    Training accuracy: 0.2175
    Validation accuracy: 0.3480
    FGSM accuracy: 0.2270
    PGD accuracy: 0.2270
    PGD test results:
      clean_acc: 0.8551
      pgd_10_acc: 0.4838

Epochs count from 0. Where weights are averaged, each line of the validation stands
twice: ``Model - `` and ``WA Model - ``; as everywhere in rofit the average is what was
evaluated, and the model's own values have metrics of their own (``own_accuracy``), as
has FGSM (``fgsm_accuracy``). Test images are evaluated once, at the end: with averaging
the epoch that is best by PGD accuracy and then validation accuracy, of the model or its
average; else the last. The log says neither data set nor radius, nor the steps of the
validation's PGD.

Source: fast_at/at_base.py, fast_at/*.py and utils/attack_tester.py of
fzjcdt/FastAT_Benchmark (2026).
"""

import re
from typing import Any

from rofit.interop.logs.foreign import NOT_NAMED, Epochs, ForeignLog, Row, measurement

LAYOUT = "FastAT_Benchmark"

_EPOCH = re.compile(r"=+ Epoch (\d+) =+")
_VALUE = re.compile(r"((?:WA )?Model - )?(\w+ (?:loss|accuracy)): (\S+)")
_BEST = re.compile(r"Best model: \w+ \(PGD acc: (\S+), Val acc: (\S+)\)")
_FINAL = re.compile(r"\s+(clean|pgd_\d+|autoattack|cr_attack)_acc: (\S+)")
_SETTING = re.compile(r"(\w[\w ]*): (.+)")
_VALIDATION = {
    "Validation accuracy": ("none", "accuracy"),
    "FGSM accuracy": ("fgsm", "fgsm_accuracy"),
    "PGD accuracy": (NOT_NAMED, "accuracy"),
}


def recognise(head: str) -> bool:
    """Return whether the first lines are of this layout."""
    return re.search(r"^=+ Epoch \d+ =+$", head, re.M) is not None


def read(text: str) -> ForeignLog:
    """Return the log.

    Raises:
        UserError: it has no epoch.
    """
    epochs, header = Epochs(), dict[str, str]()
    epoch, rows = 0, list[Row]()
    best: tuple[float, float] = (0.0, 0.0)
    best_epoch, final = 0, list[tuple[str, float]]()
    for line in text.splitlines():
        if begun := _EPOCH.match(line):
            epochs.add(epoch, rows)
            if int(begun[1]) < epoch:
                epochs.begin_again()
                best, best_epoch = (0.0, 0.0), 0
            epoch, rows = int(begun[1]) + 1, []
        elif not epoch:
            if setting := _SETTING.match(line):
                header[setting[1].lower()] = setting[2].strip()
        elif value := _VALUE.match(line):
            rows += _row(*value.groups())
        elif chosen := _BEST.match(line):
            score = (float(chosen[1]), float(chosen[2]))
            if score > best:
                best, best_epoch = score, epoch
        elif evaluated := _FINAL.match(line):
            final.append((evaluated[1], float(evaluated[2])))
    epochs.add(epoch, rows)
    averaged = header.get("weight average", "").startswith("True")
    last = max(epochs.rows, default=0)
    tested, checkpoint = (best_epoch, "best") if averaged else (last, "last")
    if tested in epochs.rows:
        epochs.extend(tested, _final(final, checkpoint))
    return epochs.finished(_settings(header), header)


def _row(whose: str | None, name: str, text: str) -> list[Row]:
    """Return the row of a line, if it is one: of the network, its average or both."""
    try:
        value = float(text)
    except ValueError:
        return []
    if name == "Training accuracy":
        return [measurement("train", NOT_NAMED, "accuracy", value, measured="step")]
    if name == "Training loss":  # of smoothed labels, and of what a method adds
        return [measurement("train", NOT_NAMED, "own_loss", value, measured="step")]
    if name not in _VALIDATION:
        return []
    attack, metric = _VALIDATION[name]
    own = "own_" if whose == "Model - " else ""
    return [measurement("val", attack, own + metric, value)]


def _final(final: list[tuple[str, float]], checkpoint: str) -> list[Row]:
    """Return rows of the evaluation at the end; a value below 0 is none."""
    rows = []
    for name, value in final:
        attack = "none" if name == "clean" else name.replace("_", "")
        row = measurement("test", attack, "accuracy", value, measured="evaluation")
        rows += [row | {"checkpoint": checkpoint}] if value >= 0 else []
    return rows


def _settings(header: dict[str, str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if method := header.get("method"):
        settings["method"] = f"fastat_{method}"
    if re.fullmatch(r"\d+", header.get("seed", "")):
        settings["seed"] = int(header["seed"])
    return settings
