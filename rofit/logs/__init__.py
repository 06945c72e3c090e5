"""The readers of the store, the door for notebooks. No torch.

What cannot be read is left out with a warning that names it, never silently; a run that
was asked for by name has to be readable.
"""

from rofit.logs.rows import ROW_COLUMNS, keep_columns, load_logs
from rofit.logs.samples import load_samples

__all__ = ["ROW_COLUMNS", "keep_columns", "load_logs", "load_samples"]
