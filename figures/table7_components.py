"""Writes table7_components: a row a variant of SGLR, best, last and diff."""

import pandas as pd
from rofit.figures import _best_last


def render(table: pd.DataFrame) -> dict[str, str]:
    """Return the table as Markdown (``md``) and LaTeX (``tex``)."""
    shown = table.drop(columns="published")
    return _best_last.render(shown, ["variant"])
