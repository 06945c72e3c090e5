"""The engine: how the passes of the network in training are made.

The loop says what is computed; this file says on what and in which precision. Training
passes go through the model, whose weights stay in fp32; attack and evaluation go
through a copy in eval mode, which has nothing to be trained.
"""

import torch
from torch import Tensor, nn
from torch.func import functional_call

from rofit.attacks.compiled import CompiledPGD, why_not
from rofit.attacks.pgd import PGD, Network
from rofit.errors import UserError, unknown
from rofit.models.classifier import Classifier
from rofit.precision import PrecisionCopy, rounded
from rofit.settings.spec import RunSpec

ENGINES = ("auto", "compiled", "eager")
# Compiling takes some ten seconds a process and saves a tenth to a sixth of the passes'
# time: two cores make that many passes of a small network in a minute.
WORTH_COMPILING = 200_000


class Engine:
    """The passes of one network: training mode, and eval mode on a copy.

    Attributes:
        frozen: the network in eval mode, in the run's precision, for the attack;
            follows the model after `follow`.
        evaluated: the same, or that of the averaged weights if the method has them;
            follows those after `follow_average`.
    """

    def __init__(
        self, model: Classifier, precision: str, average: nn.Module | None = None
    ) -> None:
        """Take *model*, on its device, and a precision (a field of RunSpec).

        *average* has the averaged weights, if they are what is evaluated.
        """
        self.model = model
        self.dtype = torch.bfloat16 if precision == "bf16" else None
        self._copy = PrecisionCopy(model, self.dtype or next(model.parameters()).dtype)
        self.frozen = self.evaluated = self._copy.network
        self._average_copy: PrecisionCopy | None = None
        if average is not None:
            self._average_copy = PrecisionCopy(
                average, self.dtype or next(model.parameters()).dtype
            )
            self.evaluated = self._average_copy.network

    def predict(self, x: Tensor) -> Tensor:
        """Return logits (B, K) of the model in its own mode, with gradients."""
        if self.dtype is None:
            return self.model(x)
        return functional_call(self.model, rounded(self.model, self.dtype), (x,))

    def attacked(self, attack: PGD | None) -> Network:
        """Return what an attack climbs on: eval mode, or the training mode's passes."""
        return self.predict if attack and attack.bn == "train" else self.frozen

    def follow(self) -> None:
        """Bring the copy to the model's weights, after every change of them."""
        self._copy.refresh()

    def follow_average(self) -> None:
        """Bring the average's copy to the averaged weights."""
        if self._average_copy:
            self._average_copy.refresh()


def find_engine(
    name: str, spec: RunSpec, device: torch.device, *, ranks: int = 1
) -> tuple[str, str]:
    """Return ``compiled`` or ``eager`` for a run, and why it is not compiled or "".

    Raises:
        UserError: an unknown name, or ``compiled`` where it is not possible.
    """
    reason = ""
    if spec.attack_bn == "train":
        reason = "attack_bn = train couples the examples of a batch"
    if ranks > 1:
        reason = f"{ranks} processes train one run"
    return choose_engine(name, passes(spec), device, reason)


def choose_engine(
    name: str, passes: int, device: torch.device, reason: str = ""
) -> tuple[str, str]:
    """Return ``compiled`` or ``eager``, and why passes cannot be compiled or "".

    Args:
        name: one of ENGINES; ``auto`` compiles from WORTH_COMPILING passes on.
        passes: forward and backward passes of single images.
        device: of the passes.
        reason: a known reason why these passes cannot be compiled.

    Raises:
        UserError: an unknown name, or ``compiled`` where it is not possible.
    """
    if name not in ENGINES:
        raise unknown("engine", name, ENGINES)
    if name == "eager" or name == "auto" and passes < WORTH_COMPILING:
        return "eager", ""
    reason = reason or why_not(device)
    if reason and name == "compiled":
        raise UserError(f"the engine cannot compile: {reason}; use --engine eager")
    return ("eager", f"not compiled: {reason}") if reason else ("compiled", "")


def passes(spec: RunSpec) -> int:
    """Return about how many images' forward and backward passes attacks will make.

    Sizes of 0 (all that there are) count as CIFAR-10's.
    """
    train = (spec.train_size or 49_000) * spec.attack_steps
    held_out = (spec.val_size + (spec.test_size or 10_000)) * spec.eval_steps
    return spec.epochs * train + len(spec.evaluated_epochs) * held_out


def make_attack(
    spec: RunSpec,
    steps: int,
    engine: str,
    *,
    bn: str = "eval",
    start_clamp: bool = True,
    captured: bool = False,
) -> PGD:
    """Return PGD against the spec's threat, made as *engine* says.

    Compiled attacks take the training's batch size wherever they are made, so that one
    compilation serves all. On a GPU those outside of training steps are *captured*.
    """
    settings = (spec.threat, steps, spec.step_size, bn, start_clamp)
    if engine == "eager":
        return PGD(*settings)
    return CompiledPGD(*settings, batch=spec.batch_size, captured=captured)


def training_attack(spec: RunSpec, engine: str) -> PGD:
    """Return the attack of the spec's training steps, made as *engine* says."""
    return make_attack(
        spec,
        spec.attack_steps,
        engine,
        bn=spec.attack_bn,
        start_clamp=spec.start_clamp,
    )
