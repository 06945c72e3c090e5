"""Writes table3_architectures: a row a network and method, best, last and diff."""

import pandas as pd
from rofit.figures import _best_last


def render(table: pd.DataFrame) -> dict[str, str]:
    """Return the table as Markdown (``md``) and LaTeX (``tex``)."""
    return _best_last.render(table, ["model", "method"])
