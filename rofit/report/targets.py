"""What a word of `rofit report` means: a run, or where an analysis was published."""

from pathlib import Path

from rofit.report.analysis import published
from rofit.report.page import Target
from rofit.reproduction import catalog
from rofit.store.runs import RunStore


def find_target(
    text: str, store: RunStore, results: Path, scale: str | None = None
) -> Target:
    """Return what *text* names.

    Args:
        text: a folder with a manifest.json, an analysis, or a run's id (or how it
            begins or ends).
        store: of the runs.
        results: folder of the results.
        scale: of the analysis, where it was published at several.

    Raises:
        UserError: there is no such run or result, or there are several.
    """
    if (Path(text) / "manifest.json").is_file():
        return Target("analysis", str(Path(text).resolve()))
    if text in catalog.analysis_names():
        return Target("analysis", str(published(results, text, scale)))
    return Target("run", store.find(text).path.name)
