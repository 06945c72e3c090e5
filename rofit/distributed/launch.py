"""Whether torchrun has started this process beside others; without torch's import."""

import os


def launched() -> bool:
    """Return whether torchrun has started this process as one of several."""
    is_torchrun = "TORCHELASTIC_RUN_ID" in os.environ
    return is_torchrun and int(os.environ["WORLD_SIZE"]) > 1


def is_first() -> bool:
    """Return whether this process is the one that writes and prints."""
    return not launched() or os.environ["RANK"] == "0"
