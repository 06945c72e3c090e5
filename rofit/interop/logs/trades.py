r"""What TRADES prints, and MART, and the code of Dong et al. (memorization-AT).

    Train Epoch: 1 [0/50000 (0%)]\tLoss: 2.293949
    Training: Average loss: 1.6614, Accuracy: 20866/50000 (42%)
    Test: Average loss: 1.6430, Accuracy: 4189/10000 (42%)
    Test PGD: Average loss: 1.9321, Accuracy: 3011/10000 (30%)
    natural_err_total:  tensor(5811., device='cuda:0')
    robust_err_total:  tensor(7636., device='cuda:0')
    natural_acc:  tensor(0.8312, device='cuda:0')
    robust_acc:  tensor(0.5241, device='cuda:0')

Epochs count from 1. ``Training`` is clean, in eval mode, after the epoch; errors are
images of the test set. ``Test PGD`` is of the set whose clean line stands before it.
Losses of single batches are not taken; attacks have no name in these lines.

Source: train_trades_cifar10.py of Zhang et al. 2019 and Rice et al.'s change of it,
train_resnet.py of Wang et al. 2020 (MART), train.py of Dong et al. 2022.
"""

import re

from rofit.interop.logs.foreign import (
    NOT_NAMED,
    Epochs,
    ForeignLog,
    Row,
    measurement,
)
from rofit.interop.logs.namespace import find_namespaces
from rofit.interop.logs.printed_settings import settings_of

LAYOUT = "TRADES"

_BATCH = re.compile(r"Train Epoch: (\d+) \[(\d+)/(\d+)")
_SET = re.compile(
    r"(Training|Test|Test PGD): Average (?:Adv )?loss: (\S+), "
    r"(?:Robust )?Accuracy: (\d+)/(\d+)"
)
_COUNT = re.compile(
    r"(natural|robust)_(err_total|acc):\s+(?:tensor\()?(nan|[-+.\deE]+)"
)


def recognise(head: str) -> bool:
    """Return whether the first lines are of this layout."""
    return _BATCH.search(head) is not None


def read(text: str) -> ForeignLog:
    """Return the log.

    Raises:
        UserError: it has no epoch that was evaluated.
    """
    epochs = Epochs()
    headers = [values for _, values in find_namespaces(text)]
    epoch, rows, split, n_test = 0, list[Row](), "train", 0
    for line in text.splitlines():
        if batch := _BATCH.search(line):
            if int(batch[1]) != epoch or int(batch[2]) == 0:
                epochs.add(epoch, rows)
                if int(batch[1]) < epoch:
                    epochs.begin_again()
                epoch, rows = int(batch[1]), []
        elif line.startswith("Namespace("):
            epochs.begin_again()
        elif measured := _SET.search(line):
            name, loss, right, n = measured.groups()
            split = {"Training": "train", "Test": "test"}.get(name, split)
            attacked = name == "Test PGD" or "Adv loss" in measured[0]
            attack = NOT_NAMED if attacked else "none"
            n_test = int(n) if split == "test" else n_test
            rows += _verdict(split, attack, loss, int(right), int(n), epochs)
        elif count := _COUNT.search(line):
            rows += _counted(count[1], count[2], count[3], n_test, rows, epochs)
    epochs.add(epoch, rows)
    header = headers[-1] if headers else {}
    settings, remarks = settings_of(header)
    epochs.remarks += remarks
    return epochs.finished(settings, header)


def _verdict(
    split: str, attack: str, loss: str, right: int, n: int, epochs: Epochs
) -> list[Row]:
    if not n:
        return []
    rows = [measurement(split, attack, "accuracy", right / n, n=n)]
    try:
        rows.append(measurement(split, attack, "loss", float(loss), n=n))
    except ValueError:
        epochs.remarks.append(f"a loss that is no number: {loss}")
    return rows


def _counted(
    which: str, unit: str, text: str, n: int, rows: list[Row], epochs: Epochs
) -> list[Row]:
    """Return the accuracy of a line of errors, or of accuracies, on test images."""
    attack = NOT_NAMED if which == "robust" else "none"
    same = [r for r in rows if (r["split"], r["attack"]) == ("test", attack)]
    if any(row["metric"] == "accuracy" for row in same):
        return []  # the line of the whole set says it as well
    if unit == "acc":
        return [measurement("test", attack, "accuracy", float(text))]
    if not n:
        epochs.remarks.append(f"{which} errors without the number of images: not taken")
        return []
    return [measurement("test", attack, "accuracy", (n - float(text)) / n, n=n)]
