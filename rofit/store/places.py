"""Where things are kept: under ``$ROFIT_HOME``, else under the working directory."""

import os
from dataclasses import dataclass
from pathlib import Path


def home() -> Path:
    """Return the folder of runs/, results/ and data/."""
    return Path(os.environ.get("ROFIT_HOME", "."))


@dataclass(frozen=True)
class Places:
    """The folders of one command.

    Attributes:
        store: of the runs.
        results: of tables and pictures.
        data: of data sets and decoded archives.
    """

    store: Path
    results: Path
    data: Path

    @classmethod
    def given(
        cls, store: str | Path | None = None, results: str | Path | None = None
    ) -> "Places":
        """Return the folders, those not given being the default ones."""
        return cls(
            store=Path(store) if store else home() / "runs",
            results=Path(results) if results else home() / "results",
            data=home() / "data",
        )
