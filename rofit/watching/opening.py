"""The folder of a watched run: begun, used again, or gone on with."""

from typing import Any

from rofit.errors import UserError
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunFolder
from rofit.store.source import Source


def require_usable(folder: RunFolder, resume: bool) -> None:
    """Raise UserError where a run has epochs and *resume* is not set, or is no loop's.

    A folder without an epoch is used again.
    """
    own = folder.state != "missing" and _is_own(folder)
    if folder.state in ("partial", "done") and (own or not resume):
        text = "" if own else ", watch(..., resume=True) to go on after its epochs"
        raise UserError(
            f"{folder.path} holds a run already; give another name or seed, or move it "
            f"away{text}"
        )
    if own and folder.checkpoints.exists():
        raise UserError(f"{folder.path} holds a run of rofit's own; give another name")
    if own:  # of an older version, which did not say where a run is from
        (folder.path / "spec.json").unlink()


def described(spec: RunSpec) -> dict[str, Any]:
    """Return what spec.json says of a watched run."""
    ids = {"run_id": spec.run_id, "family_id": spec.family_id}
    return ids | spec.as_dict() | {"source": Source("watched").as_dict()}


def _is_own(folder: RunFolder) -> bool:
    source = folder.source
    return source is None or source.kind != "watched"
