"""What the store says of a published network: nothing else is stated of it."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from rofit.interop.publish.network import Definition, define
from rofit.names import check_name
from rofit.running.checkpoints import StoredCheckpoint, read_checkpoint
from rofit.running.components import find_device
from rofit.store.evaluations import evaluations
from rofit.store.rows import load_logs
from rofit.store.runs import RunFolder
from rofit.store.source import Source


@dataclass(frozen=True)
class Facts:
    """A run, one of its checkpoints, and what was measured of those weights.

    Attributes:
        folder: of the run.
        checkpoint: which weights.
        definition: the network in plain torch.
        source: where a run is from that rofit did not train, else None.
        settings: fields of RunSpec, without those that the source does not say.
        evaluations: results of these very weights, the clean ones first.
        logs: all rows of the run (load_logs); empty where it has none.
        epoch_accuracies: of these weights as measured while training: columns split,
            attack, n and value; empty where they are not those of an epoch's end, or
            rofit did not train them.
        environment: what the run was trained with; empty if that is not known.
    """

    folder: RunFolder
    checkpoint: StoredCheckpoint
    definition: Definition
    source: Source | None
    settings: dict[str, Any]
    evaluations: list[dict[str, Any]]
    logs: pd.DataFrame
    epoch_accuracies: pd.DataFrame
    environment: dict[str, Any]

    @property
    def run_id(self) -> str:
        """Name of the run."""
        return self.folder.path.name


def gather(folder: RunFolder, checkpoint: str) -> Facts:
    """Return what is known of a checkpoint of a run.

    Args:
        folder: of the run.
        checkpoint: ``best``, ``last``, ``epoch-0100``.

    Raises:
        UserError: there is no such checkpoint, it is damaged, or its network has no
            definition in plain torch; the run cannot be read.
    """
    check_name("--checkpoint", checkpoint)
    spec, source = folder.spec, folder.source
    path = folder.checkpoints / f"{checkpoint}.pt"
    stored = read_checkpoint(path, find_device("cpu"))
    unknown = source.unknown if source else ()
    logs = load_logs(folder.path.parent, [folder.path.name])
    return Facts(
        folder,
        stored,
        define(stored, path),
        source,
        {key: v for key, v in spec.as_dict().items() if key not in unknown},
        _evaluations(folder, stored.digest),
        logs,
        _epoch_accuracies(logs.head(0) if source else logs, stored),
        folder.read_json("env.json") or {},
    )


def _evaluations(folder: RunFolder, digest: str) -> list[dict[str, Any]]:
    """Return the results of the weights, one of those that differ in a name only."""
    order = ("attack", "norm", "epsilon", "n", "seed")
    by_case = {
        tuple(str(result.get(key)) for key in (*order, "source", "step_size")): result
        for result in evaluations(folder)
        if result["network"] == digest
    }
    return sorted(by_case.values(), key=lambda r: (r["kind"] != "clean", r["attack"]))


def _epoch_accuracies(logs: pd.DataFrame, stored: StoredCheckpoint) -> pd.DataFrame:
    """Return the accuracies at the end of the epoch that the weights are of."""
    columns = list(logs.columns)
    beyond = columns[columns.index("value") + 1 : columns.index("family_id")]
    rows = logs[
        (logs["epoch"] == stored.epoch)
        & (logs["measured"] == "epoch_end")
        & (logs["metric"] == "accuracy")
        & logs["value"].notna()
        & logs["n"].notna()
        & logs[beyond].isna().all(axis=1)
    ]
    if stored.step:  # of the next epoch
        rows = rows.head(0)
    kept = rows[["split", "attack", "n", "value"]]
    return kept.astype({"split": str, "attack": str}).reset_index(drop=True)
