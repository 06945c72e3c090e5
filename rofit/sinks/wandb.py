"""W&B: a run in a project; ``--log-to wandb:PROJECT``, else W&B's own settings.

``WANDB_MODE`` and all other settings of W&B's are honoured. Where it has no key and
would ask for one, the run is written offline, into ``./wandb``, for ``wandb sync``.
Its reports of errors, to a server of their own, are off unless the user wants them.
"""

import os
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rofit.errors import Remark
from rofit.sinks.curve import Curve, RunInfo
from rofit.sinks.offline_runs import last_step

NEEDS = ("wandb",)
_POLL, _POLLS = 0.05, 200  # seconds between looks at a file, and how many


@contextmanager
def opened(run: RunInfo, where: str) -> Iterator[Curve]:
    """Open the run of that id; settings are its config.

    Offline, a run that goes on is another folder with the same id, as ``wandb sync``
    takes it. An epoch is one entry, whole or not at all; of what a kill leaves, W&B's
    process loses the last ones, which are then written again.
    """
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # read at the import
    import wandb

    mode = wandb.setup().settings.mode
    if mode == "online" and not _has_key():
        mode = "offline"
    curve = wandb.init(
        project=where or os.environ.get("WANDB_PROJECT", "rofit"),
        id=run.name,
        name=run.run_id,
        config=run.settings,
        mode=mode,  # type: ignore[arg-type]  # older words for the same
        resume=None if mode == "offline" else "allow",
        reinit="create_new",
        settings=wandb.Settings(silent=True, console="off"),
    )
    last = curve.step - 1 if curve.resumed else 0
    folder = Path(curve.dir).parents[1]
    if curve.offline:
        last = last_step(folder, run.name)
    newest = last

    def write(epoch: int, values: Mapping[str, float]) -> None:
        nonlocal newest
        curve.log(dict(values), step=epoch)
        newest = epoch

    try:
        yield Curve(lambda name: last, write)
    finally:
        curve.finish()
        if curve.offline:
            _wait_for(newest, folder, run.name)


def _wait_for(epoch: int, folder: Path, run_id: str) -> None:
    """Wait until an offline run's file has the epoch: W&B's process writes it late."""
    for _ in range(_POLLS):
        if last_step(folder, run_id) >= epoch:
            return
        time.sleep(_POLL)


def _has_key() -> bool:
    """Return whether W&B can reach its server without asking; say so if it cannot."""
    import wandb

    # There is a key where the user's own run is open; login would not say so.
    if wandb.run is not None or wandb.login(prompt=False, verify=False):
        return True
    text = "W&B has no key (wandb login), the run is offline: wandb sync sends it"
    warnings.warn(text, category=Remark, stacklevel=2)
    return False
