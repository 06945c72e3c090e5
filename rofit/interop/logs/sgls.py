r"""What SGLS prints, and self-adaptive training (SAT), whose code it was made from.

    Namespace(arch='resnet18', ..., loss='sgls', num_steps=10, ...)
    Epoch: [1][391/391]\tLR 0.100000\t ... Loss 2.0101 (2.1034)\tPrec@1 25.0 (21.334)
    ****************************************
     * Prec@1 31.020
    sa test:  31.02, \t , ra test:  25.17
    train:\t * Prec@1 40.112
    test:\t * Prec@1 38.650

Epochs count from 1, accuracies are per cent; what stands in brackets is the epoch's
mean so far. SGLS prints ``sa`` and ``ra``, SAT ``train`` and ``test`` (clean, in eval
mode). Of the steps, accuracy is taken where it is on adversaries (the losses ``at`` and
``sgls``), the loss where it is the cross entropy of given labels (``at``). SGLS tests
with the steps that it trains with.

Source: main_adv.py and losses/ of devicerxx/SGLS; main.py, main_adv.py and losses/ of
LayneH/self-adaptive-training (Huang et al. 2020).
"""

import re
from typing import Any

from rofit.interop.logs.foreign import (
    NOT_NAMED,
    Epochs,
    ForeignLog,
    Row,
    fraction,
    learning_rate,
    measurement,
)
from rofit.interop.logs.namespace import find_namespaces
from rofit.interop.logs.printed_settings import settings_of

LAYOUT = "SGLS"

_NUMBER = r"([-+]?[\d.]+(?:[eE][-+]?\d+)?|nan|inf)"
_STEP = re.compile(
    rf"Epoch: \[(\d+)\]\[(\d+)/(\d+)\]\s+(?:LR {_NUMBER}\s+)?.*?"
    rf"Loss \S+ \({_NUMBER}\)\s+Prec@1 \S+ \({_NUMBER}\)"
)
_TEST = re.compile(rf"sa test:\s*{_NUMBER}\s*,\s*,?\s*ra test:\s*{_NUMBER}")
_CLEAN = re.compile(rf"\s*(?:(train|val|test):\s*)?\* Prec@1 {_NUMBER}")
_METHODS = {  # by the name of the loss
    "ce": "standard",
    "at": "pgd_at",
    "sgls": "sgls",
    "trades": "trades",
    "trades_sat": "sat",
}
_ON_ADVERSARIES = ("at", "sgls")  # losses whose accuracy while training is robust


def recognise(head: str) -> bool:
    """Return whether the first lines are of this layout."""
    return re.search(r"Epoch: \[\d+\]\[\d+/\d+\].*Prec@1", head) is not None


def read(text: str) -> ForeignLog:
    """Return the log.

    Raises:
        UserError: it has no epoch.
    """
    epochs = Epochs()
    header: dict[str, Any] = next((v for _, v in find_namespaces(text)[::-1]), {})
    epoch, steps, evaluated = 0, list[Row](), list[Row]()
    for line in text.splitlines():
        if line.startswith("Namespace("):
            epochs.add(epoch, steps + evaluated)
            epochs.begin_again()
            epoch, steps, evaluated = 0, [], []
        elif step := _STEP.search(line):
            if evaluated or int(step[1]) != epoch:
                epochs.add(epoch, steps + evaluated)
                epoch, steps, evaluated = int(step[1]), [], []
            if step[2] == step[3]:  # the last step: means of the whole epoch
                steps = _training(step[4], step[5], step[6], header)
        elif test := _TEST.search(line):
            robust = fraction(test[2])
            rows = [measurement("test", "none", "accuracy", fraction(test[1]))]
            evaluated = _without_clean_test(evaluated) + rows
            evaluated.append(measurement("test", _attack(header), "accuracy", robust))
        elif (clean := _CLEAN.match(line)) and steps:
            split = clean[1] or "test"
            row = measurement(split, "none", "accuracy", fraction(clean[2]))
            evaluated = [r for r in evaluated if r["split"] != split] + [row]
    epochs.add(epoch, steps + evaluated)
    settings, remarks = settings_of(header)
    if method := _METHODS.get(str(header.get("loss"))):
        settings["method"] = method
    if _on_adversaries(header) and "num_steps" in header:
        settings["eval_steps"] = header["num_steps"]
    epochs.remarks += remarks
    return epochs.finished(settings, header)


def _training(
    lr: str | None, loss: str, accuracy: str, header: dict[str, Any]
) -> list[Row]:
    """Return an epoch's rows of its steps."""
    rows = [learning_rate(float(lr))] if lr else []
    values = {"accuracy": fraction(accuracy)} if _on_adversaries(header) else {}
    values |= {"loss": float(loss)} if header.get("loss") == "at" else {}
    return rows + [
        measurement("train", _attack(header), metric, value, measured="step")
        for metric, value in values.items()
    ]


def _on_adversaries(header: dict[str, Any]) -> bool:
    return header.get("loss") in _ON_ADVERSARIES


def _without_clean_test(rows: list[Row]) -> list[Row]:
    """Return rows without the clean accuracy, which SGLS prints twice."""
    return [r for r in rows if (r["split"], r["attack"]) != ("test", "none")]


def _attack(header: dict[str, Any]) -> str:
    steps = header.get("num_steps")
    return f"pgd{steps}" if isinstance(steps, int) else NOT_NAMED
