"""RunSpec: everything that changes a run's numbers, and the name that follows from it.

Nothing else belongs here: not the device, not what is logged. A field added later must
have a default that means "as before", and no default is ever changed, so that a run on
disk keeps its name (golden ids stand in tests/settings/test_spec.py).
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from rofit.errors import UserError, unknown
from rofit.names import check_name
from rofit.settings.choices import (
    ACTIVATIONS,
    AUGMENTATIONS,
    EXTRA_PASSES,
    FORMS,
    L2_STARTS,
    SCHEDULES,
)
from rofit.settings.knobs import Knobs, knob, knob_types
from rofit.settings.method_params import Params, as_pairs, as_tuple
from rofit.settings.threat import NORMS, ThreatModel


@dataclass(frozen=True)
class RunSpec(Knobs):
    """One run: frozen, flat, checked on construction.

    Raises:
        UserError: a value outside its range, named with what was expected.
    """

    method: str = knob("pgd_at", "how a batch becomes a loss (rofit list)")
    method_params: Params = ()  # a mapping is taken as well
    labels_from: str = knob("", "method whose label rule is taken, empty = its own")
    weights_from: tuple[str, ...] = knob((), "methods whose weight rules are taken")
    dataset: str = knob("cifar10", "data set, or the name of an archive (--data)")
    dataset_digest: str = knob("", "content of a data set of class folders")
    train_size: int = knob(
        0, "training images, 0 = all that are left", low=0, high=10**9
    )
    val_size: int = knob(
        1000, "held-out training images that choose best", low=0, high=10**9
    )
    test_size: int = knob(0, "test images, 0 = all", low=0, high=10**9)
    data_seed: int = knob(
        0, "draws subsets, validation split, noise", low=0, high=10**18
    )
    label_noise: float = knob(0.0, "share of training labels redrawn", low=0, high=1)
    noise_convention: str = knob(
        "uniform",
        "redrawn over all classes or the others",
        choices=("uniform", "other"),
    )
    crop_pad: int = knob(
        4, "padding of the random crop in pixels, 0 = none", low=0, high=256
    )
    crop_fill: str = knob("zeros", "what the padding is", choices=("zeros", "reflect"))
    flip: bool = knob(True, "random horizontal flip")
    augment: str = knob(
        "crop_flip", "what happens to training images", choices=AUGMENTATIONS
    )
    model: str = knob("preact_resnet18", "architecture")
    width: int = knob(
        0, "channels of the first stage, 0 = the model's own", low=0, high=4096
    )
    blocks: tuple[int, ...] = knob(
        (), "blocks a stage, empty = the model's own", low=1, high=200
    )
    activation: str = knob(
        "relu", "of the hidden layers (not resnet18)", choices=ACTIVATIONS
    )
    form: str = knob(
        "usual",
        "of the blocks: whose code they are as in (not resnet18)",
        choices=FORMS,
    )
    normalise: bool = knob(True, "first layer: subtract mean, divide by deviation")
    norm: str = knob("linf", "the threat model's norm", choices=NORMS)
    epsilon: float = knob(8 / 255, "the threat model's radius in input units")
    step_size: float = knob(2 / 255, "PGD step in input units", low=0, high=100)
    attack_steps: int = knob(10, "PGD steps while training", low=0, high=10_000)
    attack_bn: str = knob("eval", "BatchNorm in the attack", choices=("eval", "train"))
    start_clamp: bool = knob(True, "the attack's start is brought into [0, 1]")
    l2_start: str = knob(
        "ball",
        "uniform in the ball or in radius, or 0.001 N(0, 1); TRADES, MART have theirs",
        choices=L2_STARTS,
    )
    extra_passes: tuple[str, ...] = knob(
        (), "a step's passes for BatchNorm's statistics alone", choices=EXTRA_PASSES
    )
    eval_steps: int = knob(
        20, "PGD steps of each epoch's evaluation", low=1, high=10_000
    )
    eval_every: int = knob(1, "epochs between evaluations", low=1, high=1_000_000)
    precision: str = knob(
        "fp32",
        "of convolutions; the rest is fp32 (tf32: GPU only)",
        choices=("fp32", "tf32", "bf16"),
    )
    epochs: int = knob(200, "passes over the training images", low=1, high=1_000_000)
    batch_size: int = knob(128, "training images a step", low=2, high=65_536)
    # The largest that fp32 holds: a rate that diverges is noticed where it does.
    lr: float = knob(0.1, "learning rate before the drops", low=0, high=1e38)
    momentum: float = knob(0.9, "SGD momentum", low=0, high=1)
    nesterov: bool = knob(False, "momentum is Nesterov's")
    weight_decay: float = knob(5e-4, "on all parameters", low=0, high=1000)
    schedule: str = knob("drops", "of the learning rate", choices=SCHEDULES)
    drops: tuple[float, ...] = knob(
        (0.5, 0.75), "learning-rate drops, as fractions of the run", low=0, high=1
    )
    drop_factor: float = knob(0.1, "what a drop multiplies by", low=0, high=1)
    seed: int = knob(
        0, "initial weights, order, crops, attack starts", low=0, high=10**18
    )

    def __post_init__(self) -> None:
        """Check every field against its range, then the threat model."""
        super().__post_init__()
        object.__setattr__(self, "method_params", as_pairs(self.method_params))
        for field in ("weights_from", "extra_passes"):  # in any order, the same run
            object.__setattr__(self, field, tuple(sorted(getattr(self, field))))
        _check_names(self)
        if self.nesterov and not self.momentum:
            raise UserError("nesterov needs a momentum above 0, got momentum 0")
        ThreatModel(self.norm, self.epsilon)

    @property
    def threat(self) -> ThreatModel:
        """The one threat model that attack, evaluation and diagnostics receive."""
        return ThreatModel(self.norm, self.epsilon)

    @property
    def run_id(self) -> str:
        """``<method>-<dataset>-<8 hex>`` over the fields that differ from defaults."""
        return self._name(leave_out=())

    @property
    def family_id(self) -> str:
        """The run id without the seed: the same for all seeds of one setting."""
        return self._name(leave_out=("seed",))

    @property
    def evaluated_epochs(self) -> tuple[int, ...]:
        """Epochs (from 1) after which the network is evaluated and best is chosen.

        Every ``eval_every``-th, the last, and those beside a learning-rate drop: the
        one before it, the last at the old rate and the first at the new one. All of
        them where there are no validation images, for then the test images choose.

        Examples:
            >>> RunSpec(epochs=20, eval_every=8).evaluated_epochs
            (8, 9, 10, 11, 14, 15, 16, 20)
        """
        at = self.drops if self.schedule in ("drops", "piecewise") else ()
        drops = (epoch_at(drop, self.epochs) for drop in at)
        beside = {drop + step for drop in drops for step in (-1, 0, 1)}
        return tuple(
            epoch
            for epoch in range(1, self.epochs + 1)
            if epoch % self.eval_every == 0
            or epoch == self.epochs
            or not self.val_size
            or epoch in beside
        )

    def replace(self, **changes: Any) -> "RunSpec":
        """Return a copy with some fields changed (checked again)."""
        return dataclasses.replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values: tuples as lists, method_params as a mapping."""
        plain = dataclasses.asdict(self) | {"method_params": dict(self.method_params)}
        return json.loads(json.dumps(plain))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "RunSpec":
        """Return the spec that ``as_dict`` wrote.

        Raises:
            UserError: a key that is no field, or a value of the wrong type.
        """
        fields: dict[str, Any] = {}
        for key, value in values.items():
            if key not in knob_types(cls):
                raise unknown("field of a run", key, knob_types(cls))
            fields[key] = as_tuple(value)
        return cls(**fields)

    def _name(self, leave_out: tuple[str, ...]) -> str:
        default = _defaults()
        changed = {
            key: value
            for key, value in self.as_dict().items()
            if value != default[key] and key not in leave_out
        }
        text = json.dumps(changed, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        return f"{self.method}-{self.dataset}-{digest}"


@cache
def _defaults() -> dict[str, Any]:
    """Return every field's default, as `as_dict` writes it; not to be changed."""
    return RunSpec().as_dict()


def epoch_at(fraction: float, epochs: int) -> int:
    """Return how many epochs are over when *fraction* of the run is.

    Examples:
        >>> epoch_at(0.495, 200), epoch_at(0.5, 60)
        (99, 30)
    """
    return round(fraction * epochs)


def _check_names(spec: RunSpec) -> None:
    """Raise UserError for a name that leads out of the store, or cannot be shown."""
    for name in spec.weights_from:
        check_name("weights_from", name)
    for field in ("method", "dataset", "model"):
        check_name(field, getattr(spec, field))
    for field in ("labels_from", "dataset_digest"):
        if name := getattr(spec, field):
            check_name(field, name)
