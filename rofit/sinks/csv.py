"""CSV: a table a run, one value a line; ``--log-to csv:FOLDER``, else in the store."""

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rofit.sinks.curve import Curve, RunInfo

NEEDS: tuple[str, ...] = ()
_HEAD = ("epoch", "name", "value")


@contextmanager
def opened(run: RunInfo, where: str) -> Iterator[Curve]:
    """Open ``<folder>/<name of the run>.csv``; values are written to the last digit."""
    path = Path(where or run.store / "csv") / f"{run.name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", newline="", encoding="utf-8") as file:
        file.seek(0)
        text = file.read()
        whole = text[: text.rfind("\n") + 1]  # a kill may have torn the last line
        file.truncate(len(whole.encode()))
        table = csv.writer(file)
        if not whole:
            table.writerow(_HEAD)
        last: dict[str, int] = {}
        for row in csv.DictReader(whole.splitlines()):
            last[row["name"]] = max(int(row["epoch"]), last.get(row["name"], 0))

        def write(epoch: int, values: Mapping[str, float]) -> None:
            table.writerows([epoch, name, v] for name, v in values.items())
            file.flush()

        yield Curve(lambda name: last.get(name, 0), write)
