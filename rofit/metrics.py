"""Robust overfitting in numbers, from a table of logs. No torch."""

import pandas as pd

from rofit.errors import UserError

_BEST_LAST_GAP = (
    "selected_on best_epoch best last gap oracle_epoch oracle_best oracle_gap epochs"
).split()


def curve(
    logs: pd.DataFrame, *, split: str, metric: str = "accuracy", robust: bool = True
) -> pd.DataFrame:
    """Return one metric by epoch (rows) and run (columns).

    Args:
        logs: from load_logs.
        split: ``train``, ``val`` or ``test``.
        metric: ``accuracy``, ``loss`` or a diagnostic's.
        robust: under the attack rather than on clean inputs; rows of a diagnostic,
            which have no attack, are taken either way.

    Raises:
        UserError: a run has two values for one epoch, under two attacks, say.
    """
    rows = logs[(logs["split"] == split) & (logs["metric"] == metric)]
    about = rows["attack"]
    rows = rows[about.isna() | ((about != "none") == robust)]
    if rows.duplicated(["run_id", "epoch"]).any():
        attacks = ", ".join(sorted(set(rows["attack"].dropna())))
        raise UserError(
            f"{split} has several values of {metric} for one epoch ({attacks}); choose "
            "one attack from the logs first"
        )
    return rows.pivot(index="epoch", columns="run_id", values="value")


def best_last_gap(logs: pd.DataFrame) -> pd.DataFrame:
    """Return best, last and gap = best - last of the test robust accuracy, a row a run.

    ``best`` is the test accuracy at the epoch whose robust accuracy on the selection
    split is highest (the first of equals); the selection split is ``val``, and ``test``
    only for runs without validation images. ``oracle_*`` is chosen on the test images
    themselves, as most publications do: it is too high by construction.

    Returns:
        Index run_id; columns selected_on, best_epoch, best, last, gap, oracle_epoch,
        oracle_best, oracle_gap, epochs (in the log). Accuracies are fractions.
    """
    test = curve(logs, split="test")
    val = curve(logs, split="val")
    rows = []
    for run_id in test:
        seen = test[run_id].dropna()
        selected_on = "val" if run_id in val else "test"
        chooser = val[run_id].dropna() if run_id in val else seen
        chooser = chooser[chooser.index.isin(seen.index)]
        best_epoch, oracle_epoch = _first_peak(chooser), _first_peak(seen)
        last = seen.iloc[-1]
        rows.append(
            {
                "run_id": run_id,
                "selected_on": selected_on,
                "best_epoch": best_epoch,
                "best": seen[best_epoch],
                "last": last,
                "gap": seen[best_epoch] - last,
                "oracle_epoch": oracle_epoch,
                "oracle_best": seen[oracle_epoch],
                "oracle_gap": seen[oracle_epoch] - last,
                "epochs": int(seen.index[-1]),
            }
        )
    return pd.DataFrame(rows, columns=["run_id", *_BEST_LAST_GAP]).set_index("run_id")


def _first_peak(line: "pd.Series[float]") -> int:
    return int(line.index[int(line.to_numpy().argmax())])
