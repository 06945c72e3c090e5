"""What missing runs will take, by the epochs that runs of their kind have taken.

A kind of run is all that the time of an epoch depends on: method, data, network, attack
and precision, not the schedule or the seed. What was never measured is not guessed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rofit.errors import UserError
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunFolder, RunStore, last_epoch, read_events

Kind = tuple[tuple[str, Any], ...]
# No epoch takes longer by these.
_FREE = set(
    "seed data_seed epochs lr momentum weight_decay schedule drops drop_factor "
    "label_noise noise_convention epsilon step_size".split()
)


@dataclass(frozen=True)
class Measured:
    """An epoch of a kind of run.

    Attributes:
        seconds: that it took, the median of a process.
        size: bytes of the run's folder.
        device: on which it was measured, ``cpu`` or a GPU's name.
    """

    seconds: float
    size: int
    device: str


@dataclass(frozen=True)
class Cost:
    """What runs that are missing will take, one after another.

    Attributes:
        runs: number of them.
        unknown: how many of these are of kinds that were never measured.
        hours: of the others.
        gigabytes: of the others, 1e9 bytes.
        devices: on which those were measured.
    """

    runs: int
    unknown: int
    hours: float
    gigabytes: float
    devices: tuple[str, ...]

    def sentence(self, here: str) -> str:
        """Return one line; *here* is this machine's device."""
        known = self.runs - self.unknown
        text = f"missing: {self.runs} run(s)"
        if known:
            text += f"; {self.hours:.2g} hours, {self.gigabytes:.2g} GB"
            text += f" for {known} of them" if self.unknown else ""
            others = [device for device in self.devices if device != here]
            text += f", as measured on {', '.join(self.devices)}"
            text += f" and not on {here}, which this is" if others else ""
        if self.unknown:
            text += f"; of {self.unknown} no epoch was measured: unknown"
        return text


def cost(specs: Iterable[RunSpec], store: RunStore, device: str) -> Cost:
    """Return what the runs that are not done will take.

    Args:
        specs: runs, resolved.
        store: where they are, and the runs that were measured.
        device: name of this machine's; measurements of others are taken where there is
            none of it.
    """
    missing = [s for s in specs if store.folder(s.run_id).state != "done"]
    measured = _measured(store, device, {_kind(spec) for spec in missing})
    seconds, size, devices = 0.0, 0, []
    unknown = 0
    for spec in missing:
        epoch = measured.get(_kind(spec))
        if epoch is None:
            unknown += 1
            continue
        done = last_epoch(store.folder(spec.run_id).path)
        seconds += epoch.seconds * (spec.epochs - done)
        size += epoch.size
        devices.append(epoch.device)
    known = tuple(sorted(set(devices)))
    return Cost(len(missing), unknown, seconds / 3600, size / 1e9, known)


def _measured(store: RunStore, device: str, kinds: set[Kind]) -> dict[Kind, Measured]:
    """Return what was measured of these kinds of runs, on *device* where it was."""
    by_kind: dict[Kind, Measured] = {}
    for folder in store.runs() if kinds else ():
        try:
            spec = folder.spec
        except UserError:
            continue
        kind = _kind(spec)
        before = by_kind.get(kind)
        if kind not in kinds or before is not None and before.device == device:
            continue
        processes = list(_epoch_seconds(folder))
        here = [process for process in processes if process[0] == device]
        for name, seconds in here[:1] or processes[-1:]:
            by_kind[kind] = Measured(seconds, _size(folder), name)
    return by_kind


def _epoch_seconds(folder: RunFolder) -> Iterator[tuple[str, float]]:
    """Yield device and seconds an epoch of each process that trained the run."""
    device = None
    for event in read_events(folder.path):
        device = event.get("environment", {}).get("device", device)
        if device is not None and "seconds_an_epoch" in event:
            yield str(device), float(event["seconds_an_epoch"])


def _kind(spec: RunSpec) -> Kind:
    fields = spec.as_dict()
    return tuple((k, repr(fields[k])) for k in sorted(fields.keys() - _FREE))


def _size(folder: RunFolder) -> int:
    return sum(f.stat().st_size for f in folder.path.rglob("*") if f.is_file())
