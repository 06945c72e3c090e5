"""One training: its parts, how far it is, and what a checkpoint keeps of it."""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rofit.attacks import geometry
from rofit.distributed.part import Part
from rofit.distributed.ranks import ALONE, Ranks
from rofit.models.classifier import Classifier
from rofit.settings.spec import RunSpec
from rofit.training.batches import Batch, DeviceImages, onto
from rofit.training.curves import LearningCurves
from rofit.training.engine import Engine
from rofit.training.graphs import StepGraphs
from rofit.training.plan import EpochPlan
from rofit.training.process import peak_gpu_gib

if TYPE_CHECKING:
    from rofit.diagnostics import Monitor
    from rofit.diagnostics.view import EpochView
    from rofit.methods import Method
    from rofit.training.stop import Stop


@dataclass
class Training:
    """Everything that one training needs, and how far it is.

    Attributes:
        view: makes what diagnostics measure at the end of the epoch just done.
        keep: epochs whose weights are kept for good.
        graphs: replays steps as CUDA graphs; None makes every step as it is.
        ranks: this process among those that train the run.
        epoch: whole epochs done.
        step: steps done in the epoch under way.
        best: score and epoch of the best robust accuracy on the selection split.
        seconds: wall time of each whole epoch of this process, evaluation included.
    """

    spec: RunSpec
    model: Classifier
    method: "Method"
    train: DeviceImages
    curves: LearningCurves
    monitor: "Monitor"
    view: Callable[["Training"], "EpochView"]
    keep: frozenset[int] = frozenset()
    graphs: StepGraphs | None = None
    ranks: Ranks = ALONE
    epoch: int = 0
    step: int = 0
    best: dict[str, float] = field(default_factory=lambda: {"score": -1.0, "epoch": 0})
    seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make engine and optimizer: SGD, weight decay on all parameters."""
        average = self.method.average
        self.engine = Engine(
            self.model, self.spec.precision, average.network if average else None
        )
        self._rate = self.spec.lr
        self.optimizer = torch.optim.SGD(
            self.model.parameters(),
            lr=self.spec.lr,
            momentum=self.spec.momentum,
            weight_decay=self.spec.weight_decay,
            nesterov=self.spec.nesterov,
            fused=True,
        )
        if self.graphs:  # a captured step reads its rate from a tensor
            rate = torch.tensor(self.spec.lr, device=self.train.y.device)
            self.optimizer.param_groups[0]["lr"] = rate

    @property
    def steps(self) -> int:
        """Steps of an epoch, the last batch being shorter where it must."""
        return -(-len(self.train) // self.spec.batch_size)

    @property
    def progress(self) -> float:
        """Share of the run's steps that are done, in [0, 1)."""
        return (self.epoch + self.step / self.steps) / self.spec.epochs

    @property
    def evaluated(self) -> nn.Module:
        """The network that is evaluated: the average of the weights, if there is one.

        fp32; `engine.evaluated` is the same in the run's precision.
        """
        average = self.method.average
        return average.network if average else self.model

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the steps to come."""
        if rate == self._rate:
            return
        self._rate = rate
        (group,) = self.optimizer.param_groups
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate

    def cost(self) -> dict[str, float]:
        """Return an epoch's seconds, median over this process, and a GPU's memory."""
        cost = {}
        if self.seconds:
            cost["seconds_an_epoch"] = round(statistics.median(self.seconds), 3)
        if (device := self.train.y.device).type == "cuda":
            cost["peak_gpu_gib"] = peak_gpu_gib(device)
        return cost

    def part(self, step: int) -> Part:
        """Return which images of the epoch's batch *step* this process has."""
        left = len(self.train) - step * self.spec.batch_size
        return Part(self.ranks, min(self.spec.batch_size, left))

    def ends(self, stop: "Stop") -> bool:
        """Return whether training ends here: requested, out of time, or done."""
        requested = self.ranks.any(stop.now or stop.out_of_time)
        return requested or self.epoch == self.spec.epochs

    def close_epoch(self) -> None:
        """Count the epoch whose steps are made, and update averages of epochs."""
        if average := self.method.average:
            epochs = self.spec.epochs
            average.after_epoch(self.model, self.epoch, epochs, self.clean_batches)
            self.engine.follow_average()
        self.epoch, self.step = self.epoch + 1, 0

    def plan(self) -> EpochPlan:
        """Return what chance decides in the epoch under way."""
        return EpochPlan(self.spec.seed, self.epoch, len(self.train))

    def batches(
        self, plan: EpochPlan, *, begin: int = 0
    ) -> Iterator[tuple[Batch, Tensor]]:
        """Yield the batches of *plan* from step *begin* on, and the attack's starts.

        Of several processes, each yields its part; what is drawn is the same.
        """
        draw = self.method.inner.start
        if self.spec.norm == "l2" and draw is geometry.start:
            draw = geometry.L2_STARTS[self.spec.l2_start]
        for batch in self.train.batches(self.spec, plan, begin=begin):
            start = plan.start(batch.step, self.spec.threat, batch.x.shape, draw)
            part = self.part(batch.step)
            yield batch.of(part), onto(part.own(start), batch.x.device)

    def clean_batches(self) -> Iterator[Tensor]:
        """Yield the epoch's inputs (B, C, H, W) as augmented in training, no attack."""
        for batch in self.train.batches(self.spec, self.plan(), begin=0):
            yield self.part(batch.step).own(batch.x)

    def state_dict(self) -> dict[str, Any]:
        """Return all that a resumed run needs, tensors and plain values only."""
        average = self.method.average
        averaged = {
            "trained": self.model.state_dict(),
            "average": average.state_dict(),
        } if average else {}  # fmt: skip
        remembered = self.method.inner.state_dict()
        inner = {"inner": remembered} if remembered else {}
        return self.evaluated_state() | averaged | inner | {
            "step": self.step,
            "optimizer": _with_rate(self.optimizer.state_dict(), self._rate),
            "curves": self.curves.state_dict(),
            "watch": self.monitor.state_dict(),
        }  # fmt: skip

    def evaluated_state(self) -> dict[str, Any]:
        """Return what an evaluation needs: network, labels, epoch and best score.

        ``model`` is the network that is evaluated.
        """
        return {
            "spec": self.spec.as_dict(),
            "epoch": self.epoch,
            "best": self.best,
            "model": self.evaluated.state_dict(),
            "labels": self.method.labels.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state: the run goes on as if it had never stopped."""
        self.epoch, self.step = state["epoch"], state["step"]
        self.best = dict(state["best"])
        self.evaluated.load_state_dict(state["model"])
        if self.method.average:
            self.model.load_state_dict(state["trained"])
            self.method.average.load_state_dict(state["average"])
        self.engine.follow()
        self.engine.follow_average()
        (group,) = self.optimizer.param_groups
        optimizer = _with_rate(state["optimizer"], group["lr"])
        self.optimizer.load_state_dict(optimizer)
        self.method.labels.load_state_dict(state["labels"])
        self.method.inner.load_state_dict(state.get("inner", {}))
        self.curves.load_state_dict(state["curves"])
        self.monitor.load_state_dict(state["watch"])


def _with_rate(state: dict[str, Any], rate: Tensor | float) -> dict[str, Any]:
    """Return an optimizer's state with another learning rate."""
    groups = [group | {"lr": rate} for group in state["param_groups"]]
    return state | {"param_groups": groups}
