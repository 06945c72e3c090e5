"""TensorBoard: a folder a run; ``--log-to tensorboard:FOLDER``, else in the store.

Values are single precision there, as all scalars of TensorBoard.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rofit.sinks.curve import Curve, RunInfo

NEEDS = ("tensorboard",)


@contextmanager
def opened(run: RunInfo, where: str) -> Iterator[Curve]:
    """Open ``<folder>/<name of the run>``; settings are its text ``settings``."""
    from torch.utils.tensorboard import SummaryWriter

    folder = Path(where or run.store / "tensorboard") / run.name
    last = _last_steps(folder)
    with SummaryWriter(str(folder)) as writer:
        if not last:
            text = json.dumps(run.settings, indent=4)
            writer.add_text("settings", f"```\n{text}\n```", 0)

        def write(epoch: int, values: Mapping[str, float]) -> None:
            for name, value in values.items():
                writer.add_scalar(name, value, epoch)
            writer.flush()

        yield Curve(lambda name: last.get(name, 0), write)


def _last_steps(folder: Path) -> dict[str, int]:
    """Return tag -> last step of the scalars in a folder."""
    if not folder.exists():
        return {}
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    steps = {tag: events.Scalars(tag) for tag in events.Tags()["scalars"]}
    return {tag: max(event.step for event in steps[tag]) for tag in steps}
