"""Writes table8_cost: a row a method, its step over that of adversarial training."""

import pandas as pd
from rofit.figures._tables import latex, markdown


def render(table: pd.DataFrame) -> dict[str, str]:
    """Return the table as Markdown (``md``) and LaTeX (``tex``)."""
    by = table.groupby("method", sort=False)
    over, seconds = by["over_pgd_at"], by["seconds"]
    frame = pd.DataFrame(
        {
            "x PGD-AT's step": over.median().map("{:.2f}".format),
            "quartiles": over.quantile(0.25).map("{:.2f}".format)
            + " to "
            + over.quantile(0.75).map("{:.2f}".format),
            "ms a step": (1e3 * seconds.median()).map("{:.1f}".format),
        }
    )
    first = table.iloc[0]
    rounds = table["round"].nunique()
    under = (
        f"rofit, scale {first['scale']}; {first['data']}; batches of "
        f"{first['batch_size']} on {first['device']}, {first['engine']}; medians "
        f"of {rounds} rounds, all methods in turn in one process."
    )
    return {
        "md": markdown(frame, ["method"], under),
        "tex": latex(frame, ["method"], under),
    }
