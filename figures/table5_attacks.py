"""Writes table5_attacks: a row a method and checkpoint, a column an attack."""

import pandas as pd
from rofit.figures._tables import ATTACKS, cells, latex, markdown, note

_HEADS = ["method", "checkpoint"]


def render(table: pd.DataFrame) -> dict[str, str]:
    """Return the table as Markdown (``md``) and LaTeX (``tex``)."""
    order = [*ATTACKS, "each_epoch"]
    rows = table[table["attack"].isin(order)]
    rank = rows["attack"].map(order.index)
    rows = rows.assign(rank=rank).sort_values(["method", "checkpoint", "rank"])
    frame = cells(rows, ["method", "checkpoint"], "attack")
    frame = frame.rename(columns=ATTACKS | {"each_epoch": "every epoch's PGD"})
    selected = table.loc[table["checkpoint"] == "best", "selected_on"].iloc[0]
    split = {"val": "validation"}.get(selected, selected)
    lacking = [
        label for name, label in ATTACKS.items() if name not in set(table["attack"])
    ]
    missing = f" Not evaluated at this scale: {', '.join(lacking)}." if lacking else ""
    under = note(
        table,
        f"best: chosen on {split} images; best on test: chosen on the test images "
        "themselves, too high by construction. Bold: highest of a checkpoint."
        + missing,
    )
    return {
        "md": markdown(frame, _HEADS, under),
        "tex": latex(frame, _HEADS, under),
    }
