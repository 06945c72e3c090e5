"""What the folder of a watched run keeps, so that its loop can be gone on with.

checkpoints/initial.pt  the weights that training began from
            last.pt     after the newest epoch; best.pt likewise
            watched.pt  an epoch each: digest of the weights, score, and what
                        diagnostics remember
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rofit.adapters.networks import digest, plain_names
from rofit.errors import UserError
from rofit.measures.selection import best_epoch, improves
from rofit.store.columns import COLUMNS_FILE
from rofit.store.runs import RunFolder
from rofit.training import checkpoint

INITIAL, EPOCHS = "initial.pt", "watched.pt"


@dataclass
class Kept:
    """The files of one watched run.

    Attributes:
        folder: of the run.
        spec: of the run, plain values.
        reading: how the network is read: what a later evaluation has to know.
        epochs: of each epoch that is there ``weights``, ``score`` and ``monitor``.
    """

    folder: RunFolder
    spec: dict[str, Any]
    reading: dict[str, Any]
    epochs: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """Whole epochs that are there."""
        return max(self.epochs, default=0)

    @property
    def best(self) -> dict[str, Any]:
        """Epoch and score of the best epoch so far, the first of equals."""
        epoch = best_epoch((e, kept["score"]) for e, kept in self.epochs.items())
        return {"score": self.epochs[epoch]["score"], "epoch": epoch} if epoch else {}

    def begin(self, model: nn.Module) -> None:
        """Keep the weights that training begins from."""
        self.epochs = {}
        self._save(INITIAL, 0, plain_names(model.state_dict()))

    def initial(self, model: nn.Module) -> dict[str, Tensor]:
        """Return the weights that training began from, by parameter name.

        Raises:
            UserError: they are not kept, or not of this network.
        """
        device = next(model.parameters()).device
        state = checkpoint.load(self._path(INITIAL), device)
        kept = {} if state is None else state["model"]
        weights = {}
        for name, parameter in model.named_parameters():
            value = kept.get(name.replace("_orig_mod.", ""))
            if value is None or value.shape != parameter.shape:
                raise UserError(
                    f"{self.folder.path} does not keep the initial weights of this "
                    "network, and cannot be gone on with: give another name or seed"
                )
            weights[name] = value.to(parameter)
        return weights

    def add(
        self, epoch: int, score: float, model: nn.Module, monitor: dict[str, Any]
    ) -> None:
        """Keep what an epoch ended with; weights as last, and as best if they are."""
        weights = plain_names(model.state_dict())
        self._save(checkpoint.LAST, epoch, weights)
        if improves(score, self.best.get("score", float("-inf"))):
            self._save(checkpoint.BEST, epoch, weights)
        self.epochs[epoch] = {
            "weights": digest(model.parameters()),
            "score": score,
            "monitor": monitor,
        }
        self._save_epochs()

    def load(self, device: torch.device) -> None:
        """Read what `add` kept; rows of an epoch that it does not know are dropped.

        Raises:
            UserError: the folder keeps nothing to go on with.
        """
        state = checkpoint.load(self._path(EPOCHS), device)
        if state is None:
            raise UserError(
                f"{self.folder.path} keeps nothing to go on with (an older version "
                "wrote it, or it is damaged): give another name or seed"
            )
        self.epochs = state["epochs"]
        if self.folder.state != "done":
            self.folder.keep_epochs_to(self.done)

    def cut(self, epoch: int) -> None:
        """Drop all that is of later epochs."""
        if epoch == self.done:
            return
        best = self.best.get("epoch", 0)
        for name in ("done.json", COLUMNS_FILE):
            (self.folder.path / name).unlink(missing_ok=True)
        later = [checkpoint.LAST, *([checkpoint.BEST] if best > epoch else [])]
        for name in later:
            self._path(name).unlink(missing_ok=True)
        self.epochs = {e: kept for e, kept in self.epochs.items() if e <= epoch}
        self._save_epochs()
        self.folder.keep_epochs_to(epoch)

    def epoch_of(self, model: nn.Module) -> int | None:
        """Return the newest epoch that ended with these weights; 0 for the initial.

        None where there is no such epoch.
        """
        now = digest(model.parameters())
        for epoch in sorted(self.epochs, reverse=True):
            if self.epochs[epoch]["weights"] == now:
                return epoch
        return 0 if digest(self.initial(model).values()) == now else None

    def _save_epochs(self) -> None:
        state = {"spec": self.spec, "epoch": self.done, "epochs": self.epochs}
        checkpoint.save(state, self._path(EPOCHS))

    def _save(self, name: str, epoch: int, weights: dict[str, Tensor]) -> None:
        state = {"spec": self.spec, "epoch": epoch, "model": weights}
        checkpoint.save(state | {"reading": self.reading}, self._path(name))

    def _path(self, name: str) -> Path:
        return self.folder.checkpoints / name
