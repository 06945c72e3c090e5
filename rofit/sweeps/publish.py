"""A sweep's table and picture, in a folder of results with what they are of."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from rofit.reproduction import catalog
from rofit.reproduction.publish import draw_widths, make_folder
from rofit.settings.spec import RunSpec
from rofit.store import digests
from rofit.store.environment import commit, versions
from rofit.sweeps.grid import Values

_LONGEST = 60  # characters of the fields' names in that of the folder


@dataclass(frozen=True)
class Sweep:
    """What was swept.

    Attributes:
        values: of each swept field, as text.
        budget: how many settings were drawn, None for all.
        scale: name of the scale.
        data: the data set, as results name it.
        settings: the runs of each setting, one a seed.
        diverged: ids of runs that did, whose settings are left out.
    """

    values: Values
    budget: int | None
    scale: str
    data: str
    settings: list[list[RunSpec]]
    diverged: Sequence[str] = ()

    @property
    def specs(self) -> list[RunSpec]:
        """All runs, setting by setting."""
        return [spec for runs in self.settings for spec in runs]

    @property
    def run_ids(self) -> list[list[str]]:
        """The ids of the runs of each setting."""
        return [[spec.run_id for spec in runs] for runs in self.settings]


def publish(sweep: Sweep, table: pd.DataFrame, results: Path) -> Path:
    """Write table, picture and manifest; return their folder.

    Raises:
        UserError: the folder cannot be made.
        NotWritten: the disk does not take a file.
    """
    folder = results / sweep.scale / _name(sweep)
    make_folder(folder)
    (folder / digests.LEDGER).unlink(missing_ok=True)  # of what was published before
    table = table.assign(scale=sweep.scale, data=sweep.data)
    text = table.to_csv(index=False, lineterminator="\n")
    digests.write_text(folder / "table.csv", text, folder)
    manifest = json.dumps(_manifest(sweep), indent=1) + "\n"
    digests.write_text(folder / "manifest.json", manifest, folder)
    fields, seeds = list(sweep.values), len(sweep.settings[0])
    draw = catalog.load_figure("_sweep").draw
    draw_widths(partial(draw, table, fields, seeds), folder / "sweep")
    return folder


def _name(sweep: Sweep) -> str:
    """Return the folder's name: the fields, and a digest of the runs."""
    ids = " ".join(sorted(spec.run_id for spec in sweep.specs))
    digest = hashlib.sha256(ids.encode()).hexdigest()[:8]
    return f"sweep-{'-'.join(sweep.values)[:_LONGEST]}-{digest}"


def _manifest(sweep: Sweep) -> dict[str, object]:
    return {
        "values": sweep.values,
        "budget": sweep.budget,
        "scale": sweep.scale,
        "data": sweep.data,
        "seeds": [spec.seed for spec in sweep.settings[0]],
        "runs": sweep.run_ids,
        "diverged": list(sweep.diverged),
        "commit": commit(),
        "versions": versions(),
    }
