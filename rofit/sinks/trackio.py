"""trackio: a run in a project; ``--log-to trackio:PROJECT``, else project ``rofit``.

Where it writes is trackio's own setting: ``TRACKIO_DIR``, or a server or Space where
``TRACKIO_SERVER_URL`` or ``TRACKIO_SPACE_ID`` names one.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rofit.sinks.curve import Curve, RunInfo

NEEDS = ("trackio",)


@contextmanager
def opened(run: RunInfo, where: str) -> Iterator[Curve]:
    """Open the run of that name; settings are its config.

    An epoch is one entry there, whole or not at all.
    """
    import trackio
    import trackio.run
    import trackio.utils

    for module in (trackio, trackio.run, trackio.utils):
        vars(module)["print"] = _say_nothing  # it has no flag against printing
    curve = trackio.init(
        project=where or "rofit",
        name=run.name,
        config=run.settings,
        resume="allow",
        embed=False,
    )
    last = curve._next_step - 1  # public only for what is on this machine

    def write(epoch: int, values: Mapping[str, float]) -> None:
        curve.log(dict(values), step=epoch)

    try:
        yield Curve(lambda name: last, write)
    finally:
        trackio.finish()


def _say_nothing(*texts: object, **options: object) -> None:
    """Print nothing."""
