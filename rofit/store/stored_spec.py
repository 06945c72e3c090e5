"""What a run's spec.json says: its settings, its family, and where it is from."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from rofit.errors import UserError
from rofit.names import check_name
from rofit.settings.spec import RunSpec
from rofit.settings.spec_file import read_object
from rofit.store.digests import is_sound
from rofit.store.source import Source


class StoredSpec(NamedTuple):
    """What a spec.json says."""

    spec: RunSpec
    family_id: str
    source: Source | None  # of a run that rofit did not train


def read_spec(file: Path) -> StoredSpec:
    """Return what a spec.json says, method parameters resolved.

    Raises:
        UserError: the file is missing, damaged or not readable.
    """
    stored = read_object(file)
    source = Source.from_dict(stored.pop("source")) if "source" in stored else None
    family_id = stored.pop("family_id", None)
    stored.pop("run_id", None)
    spec = RunSpec.from_dict(stored)
    family_id = spec.family_id if family_id is None else family_id
    check_name("family_id", family_id, longest=255)
    if not is_sound(file, file.parent):
        raise UserError(f"{file} is damaged: it is not what was written")
    return StoredSpec(spec, family_id, source)


def holds_spec(file: Path, spec: dict[str, Any]) -> bool:
    """Return whether a spec.json holds *spec*.

    A field or parameter that it lacks is younger than the file and has its default.
    """
    try:
        stored = json.loads(file.read_text())
        if stored == spec:
            return True
        params = spec["method_params"] | stored["method_params"]
    except (ValueError, LookupError, TypeError):
        return False
    return RunSpec().as_dict() | stored | {"method_params": params} == spec
