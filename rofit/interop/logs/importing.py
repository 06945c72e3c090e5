"""From a log that was read to a run of the store: a spec, rows, and its source."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rofit.errors import UserError, quoted
from rofit.interop.logs.foreign import NOT_NAMED, ForeignLog, Row
from rofit.interop.logs.reading import digest, read_log
from rofit.names import LONGEST_NAME, check_name
from rofit.settings.knobs import knob_types, parse_value
from rofit.settings.spec import RunSpec
from rofit.store.rows import keep_columns
from rofit.store.runs import RunFolder, RunStore, read_events
from rofit.store.source import Source

# Fields that a log may say by its own words only: a user's word takes their place.
_NAMES = ("method", "dataset", "model")
_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Supplied:
    """What a user says of a log that it does not say itself.

    Attributes:
        settings: field of RunSpec -> text.
        attack: the name of the attack of tests, empty where it is not said.
        columns: of a table: their column -> our tag.
    """

    settings: dict[str, str] = field(default_factory=dict)
    attack: str = ""
    columns: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Imported:
    """A run that is from a log: its folder, and what a user must know."""

    folder: RunFolder
    remarks: tuple[str, ...]
    new: bool


def import_log(path: Path, store: RunStore, supplied: Supplied) -> Imported:
    """Read a log into the store; where it is there already, say so.

    Raises:
        UserError: it is no log that is known, or the user contradicts it.
        NotWritten: the disk does not take it.
    """
    sha256 = digest(path)
    if there := _imported(store, sha256):
        return Imported(there, (f"{path} is in the store already",), new=False)
    read = read_log(path, supplied.columns)
    spec, unknown, remarks = spec_of(read.log, supplied)
    rows = [
        {"epoch": epoch} | row
        for epoch, measured in read.log.rows.items()
        for row in _with_attacks(measured, spec, unknown, supplied)
    ]
    source = Source("log", read.layout, _name(read.file), read.sha256, tuple(unknown))
    folder = store.folder(f"{spec.method}-{spec.dataset}-{sha256[:8]}")
    ids = {"run_id": folder.path.name, "family_id": folder.path.name}
    with folder.opened(ids | spec.as_dict() | {"source": source.as_dict()}):
        folder.keep_epochs_to(0)  # of an import that was killed
        folder.append(rows)
        header = {name: _plain(value) for name, value in read.log.header.items()}
        remarks = (*read.log.remarks, *remarks)
        folder.event("import", remarks=list(remarks), header=header)
        if max(read.log.rows) >= spec.epochs:
            keep_columns(folder)
            folder.finish({"last_epoch": max(read.log.rows)})
    return Imported(folder, remarks, new=True)


def spec_of(
    log: ForeignLog, supplied: Supplied
) -> tuple[RunSpec, list[str], tuple[str, ...]]:
    """Return the spec, the fields that nobody says, and remarks.

    Raises:
        UserError: the user names no field, or contradicts the log.
    """
    types = knob_types(RunSpec)
    settings, remarks = _valid(log.settings)
    for name, text in supplied.settings.items():
        if name not in types or name == "method_params":
            raise UserError(f"--set names no field of a run: {quoted(name)}")
        value = parse_value(name, text, types[name])
        if name in settings and name not in _NAMES and settings[name] != value:
            raise UserError(
                f"the log says {name} {settings[name]}, and not {value}; leave it out"
            )
        settings[name] = value
    steps = supplied.attack.removeprefix("pgd")
    if supplied.attack.startswith("pgd") and steps.isdecimal():
        settings.setdefault("eval_steps", int(steps))
    unknown = sorted(set(types) - set(settings))
    fallback = {name: _UNKNOWN for name in _NAMES} | {"epochs": max(log.rows)}
    filled = {n: v for n, v in fallback.items() if n in unknown}
    return RunSpec(**settings | filled), unknown, remarks


def _valid(said: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what a log says as far as a run can be of it, remarks on the rest."""
    settings: dict[str, Any] = {}
    remarks = []
    norm = {"norm": said["norm"]} if "norm" in said else {}
    for name, value in said.items():
        try:
            settings[name] = getattr(RunSpec(**norm | {name: value}), name)
        except (UserError, TypeError) as error:
            remarks.append(f"{name} is left unknown: {error}")
    return settings, tuple(remarks)


def _with_attacks(
    rows: list[Row], spec: RunSpec, unknown: list[str], supplied: Supplied
) -> list[Row]:
    """Return the rows with the names of attacks that the user has said."""
    training = NOT_NAMED
    if "attack_steps" not in unknown:
        training = f"pgd{spec.attack_steps}"
    named = {"train": training, "val": supplied.attack, "test": supplied.attack}
    return [
        row | {"attack": named[row["split"]] or NOT_NAMED}
        if row.get("attack") == NOT_NAMED
        else row
        for row in rows
    ]


def _imported(store: RunStore, sha256: str) -> RunFolder | None:
    """Return the run that was made of a file with this digest, if one is whole."""
    for folder in store.runs():
        if not folder.path.name.endswith(sha256[:8]):
            continue
        try:
            source = folder.source
        except UserError:
            continue
        events = [event["event"] for event in read_events(folder.path)]
        if source and source.sha256 == sha256 and "import" in events:
            return folder
    return None


def _name(file: str) -> str:
    """Return a file's name as a source may have it.

    Raises:
        UserError: it cannot be shown.
    """
    check_name("the log's file", file, longest=255)
    return file


def _plain(value: Any) -> Any:
    """Return a setting as JSON has it: what it has not, as text."""
    if value is None or isinstance(value, str | int | float | bool):
        return value if not isinstance(value, str) else value[: 10 * LONGEST_NAME]
    return quoted(value)
