"""What a run has kept when the disk takes no more: the end of that sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from rofit.store.runs import RunFolder
from rofit.training import checkpoint
from rofit.writing import NotWritten


@contextmanager
def saying_what_is_kept(folder: RunFolder) -> Iterator[None]:
    """Say in NotWritten from where the run goes on."""
    try:
        yield
    except NotWritten as error:
        newest = checkpoint.load_last(folder.checkpoints, torch.device("cpu"))
        kept = "nothing of the run is kept"
        if newest is not None:
            kept = f"epoch {newest[0]['epoch']} of the run is kept"
        raise NotWritten(f"{error}; {kept}: the same command goes on") from None
