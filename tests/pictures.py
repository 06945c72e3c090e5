"""Pictures of random tables, drawn once."""

import functools

import pandas as pd
from matplotlib.figure import Figure
from random_tables import random_table
from rofit.figures._style import look_of

from rofit.reproduction import catalog

PICTURES = [
    name
    for name in catalog.analysis_names()
    if hasattr(catalog.load_figure(name), "draw")
]


@functools.cache
def picture(name: str) -> tuple[pd.DataFrame, Figure]:
    """Return the random table of an analysis and the picture of it."""
    table = random_table(name)
    return table, catalog.load_figure(name).draw(table)


def color_and_marker(method: str) -> tuple[str, str]:
    """Return the method's colour, as artists say it, and its marker."""
    return look_of(method).color.lower(), look_of(method).marker
