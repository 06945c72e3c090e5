"""How jobs are submitted: from rofit.toml and the flags of a command."""

import math
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from rofit.errors import UserError, quoted, unknown
from rofit.store.places import home

FILE = "rofit.toml"
_TIME = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")


@dataclass(frozen=True)
class SlurmSettings:
    """What Slurm is told of every job; names as sbatch and submitit have them.

    Attributes:
        partition: where jobs go; the cluster's default where empty.
        gres: resources of a job, ``gpu:1``.
        time: limit of a job in minutes, 1 or more. A run that needs longer is requeued.
        array_parallelism: jobs of an array at a time.
        setup: shell commands before a job's work.
        gpus: processes that train one run together, a GPU each; above 1 it takes the
            place of the number in ``gres``.
        shards: jobs into which the evaluations of a run are split.
        cpus_per_task: cores of a job; the cluster's default where 0. On a CPU the bits
            of a run depend on their number, as they do without a cluster.
        mem: memory of a job, ``16G``.
        account: that is charged.
        qos: quality of service.
        constraint: features that a node must have.
        exclude: nodes that are not taken.
        signal_delay_s: seconds before the limit at which a job writes its checkpoint.
    """

    partition: str = ""
    gres: str = ""
    time: int = 60
    array_parallelism: int = 256
    setup: tuple[str, ...] = ()
    gpus: int = 1
    shards: int = 1
    cpus_per_task: int = 0
    mem: str = ""
    account: str = ""
    qos: str = ""
    constraint: str = ""
    exclude: str = ""
    signal_delay_s: int = 90

    def sbatch(self) -> dict[str, Any]:
        """Return the parameters for submitit's executor: those that are not empty."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        del named["shards"], named["gpus"]
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in named.items()
            if value
        }


def read_settings(flags: dict[str, Any]) -> SlurmSettings:
    """Return the settings of ``rofit.toml``, those of *flags* in place of them.

    The file is that of the working directory, else that of ``$ROFIT_HOME``. Flags are
    by field, as typed; None and empty ones are left out.

    Raises:
        UserError: the file cannot be read, a key that there is not, or a value of
            another kind or out of range.
    """
    given = {key: value for key, value in flags.items() if value not in (None, (), "")}
    return _changed(_from_file(), given, lambda key: f"--{key.replace('_', '-')}")


def minutes(text: str) -> float:
    """Return a time as Slurm writes it, in minutes.

    ``M``, ``M:S``, ``H:M:S``, ``D-H``, ``D-H:M`` and ``D-H:M:S``.

    Raises:
        ValueError: it is none.

    Examples:
        >>> minutes("90"), minutes("4:00:00"), minutes("1-12"), minutes("2:30")
        (90.0, 240.0, 2160.0, 2.5)
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"no time of Slurm: {text!r}")
    days, *parts = match.groups()
    numbers = [int(part) for part in parts if part is not None]
    if days is not None:
        hours, mins, seconds = (*numbers, 0, 0)[:3]
        return 1440 * int(days) + 60 * hours + mins + seconds / 60
    if len(numbers) == 1:
        return float(numbers[0])
    hours, mins, seconds = (0, *numbers)[-3:]
    return 60 * hours + mins + seconds / 60


def _from_file() -> SlurmSettings:
    paths = [folder / FILE for folder in (Path("."), home())]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return SlurmSettings()
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:  # of the syntax or of the encoding
        raise UserError(f"{path} cannot be read: {error}") from None
    for key in content:
        if key != "slurm":
            raise unknown(f"key in {path}", key, ["slurm"])
    table = content.get("slurm", {})
    if not isinstance(table, dict):
        raise UserError(f"{path} expects a table [slurm], got {quoted(table)}")
    names = [field.name for field in fields(SlurmSettings)]
    for key in table:
        if key not in names:
            raise unknown(f"key in {path}", key, names)
    return _changed(SlurmSettings(), table, lambda key: f"{path}, [slurm] {key}")


def _changed(
    settings: SlurmSettings, values: dict[str, Any], label: Callable[[str], str]
) -> SlurmSettings:
    """Return settings with other values; *label* is what an error calls a key."""
    changes = {key: _checked(label(key), key, values[key]) for key in values}
    return replace(settings, **changes)


def _checked(called: str, key: str, value: Any) -> Any:
    """Return a value of the kind that its field's default has."""
    default = getattr(SlurmSettings(), key)
    if key == "time" and isinstance(value, str):
        try:
            value = math.ceil(minutes(value))
        except ValueError:
            raise UserError(
                f"{called} expects minutes, H:M:S or D-H, got {quoted(value)}"
            ) from None
    if isinstance(default, int):
        least = 0 if key == "cpus_per_task" else 1
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise UserError(
                f"{called} expects a whole number of {least} or more, got "
                f"{quoted(value)}"
            )
    elif isinstance(default, tuple):
        lines = [value] if isinstance(value, str) else value
        if not isinstance(lines, list | tuple) or not all(
            isinstance(line, str) for line in lines
        ):
            raise UserError(f"{called} expects shell commands, got {quoted(value)}")
        return tuple(lines)
    elif not isinstance(value, str) or "\n" in value:
        raise UserError(f"{called} expects a text of one line, got {quoted(value)}")
    return value
