"""AutoAttack's four attacks as stages: an adapter to pyautoattack.

Each attack and its settings are the library's (version "standard"); ours are the order
of work, the flags, and where random numbers come from. The library draws for a batch at
a time; here an image's start comes from its own stream, and Square's proposals, which
the library shares among the images of a batch, from one stream for all of them.

Source: Croce and Hein 2020.
Differs: an image is left alone once its verdict is known, where the library goes on to
its last step.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from rofit.errors import UserError
from rofit.evaluation.cases import FEWEST, WITHOUT_DLR, Case
from rofit.evaluation.internals import make_kit
from rofit.evaluation.verdicts import Stage
from rofit.evaluation.wrappers import FewSizes, StopsWhenFooled
from rofit.seeding import generator, stream_seed

ORDER = ("apgd-ce", "apgd-t", "fab-t", "square")
NORMS = {"linf": "Linf", "l2": "L2"}
_STEPS = 100  # of APGD and FAB; FAB looks twice at each


def library_stages(
    case: Case, network: nn.Module, *, n_classes: int, filled_to: int = 0
) -> list[Stage]:
    """Return the stages of one of the four attacks, of several, or of all.

    Args:
        case: the evaluation.
        network: in eval mode, without parameters that require gradients.
        n_classes: of the network.
        filled_to: the most that batches are filled up to, see `FewSizes`; 0 for never.

    Raises:
        UserError: fewer than four classes for the targeted DLR loss; no pyautoattack,
            or one that lacks what `internals` lists.
        ValueError: the network has parameters that require gradients: FAB would write
            into them.
    """
    if any(parameter.requires_grad for parameter in network.parameters()):
        raise ValueError("the network must have no parameters that require gradients")
    if n_classes < FEWEST and case.kind in ("apgd-t", "autoattack"):
        raise UserError(
            f"{case.kind} needs at least {FEWEST} classes, got {n_classes}; use "
            f"{WITHOUT_DLR}, its other stages, or one of them"
        )
    adapter = _Adapter(case, FewSizes(network, filled_to) if filled_to else network)
    targets = range(2, min(9, n_classes - 1) + 2)
    known = {
        "apgd-ce": [Stage("apgd-ce", "apgd-ce", _STEPS, adapter.apgd_ce)],
        "apgd-t": [
            Stage(f"apgd-t {k - 1}", "apgd-t", _STEPS, partial(adapter.apgd_t, k))
            for k in targets
        ],
        "fab-t": [
            Stage(f"fab-t {k - 1}", "fab-t", 2 * _STEPS, partial(adapter.fab_t, k))
            for k in targets
        ],
        "square": [
            Stage("square", "square", (case.number or 5000) / 3, adapter.square)
        ],
    }
    names = ORDER if case.kind == "autoattack" else case.kind.split("+")
    return [stage for name in names for stage in known[name]]


class _Adapter:
    """The library's attacks on one network."""

    def __init__(self, case: Case, network: nn.Module) -> None:
        self.case, self.network = case, network
        self.watched = StopsWhenFooled(network, case.threat)
        norm = NORMS[case.norm]
        self.kit = make_kit(self.watched, norm, case.epsilon, kind=case.kind)
        silent = logging.Logger("silent")  # rofit has checks of its own
        silent.addHandler(logging.NullHandler())
        self.kit.apgd.logger = self.kit.apgd_targeted.logger = silent
        self.kit.fab._get_predicted_label = self.watched.predicted
        self.kit.square.predict = network
        if case.number:
            self.kit.square.n_queries = case.number

    def apgd_ce(self, x: Tensor, y: Tensor, index: list[int]) -> Tensor:
        """Climb on cross entropy."""
        attack = self.kit.apgd
        attack.loss = "ce"
        return self._apgd(attack, x, y, index, "apgd-ce")

    def apgd_t(self, target: int, x: Tensor, y: Tensor, index: list[int]) -> Tensor:
        """Climb towards the class of rank *target* (2 is the second most likely)."""
        attack = self.kit.apgd_targeted
        with torch.no_grad():
            attack.y_target = self.network(x).sort(dim=1)[1][:, -target]
        return self._apgd(attack, x, y, index, "apgd-t", target)

    def fab_t(self, target: int, x: Tensor, y: Tensor, index: list[int]) -> Tensor:
        """Find a near point of the class of rank *target*; nothing here is random."""
        attack = self.kit.fab
        attack.device, attack.target_class = x.device, target
        with torch.no_grad():
            right = self.network(x).argmax(dim=1) == y
        if not right.all():  # rounding, in another batch: FAB would leave them out
            x_adv = x.clone()
            if right.any():
                x_adv[right] = self.fab_t(target, x[right], y[right], index)
            return x_adv
        with torch.no_grad(), self.watched.batch(x, y, in_gradients=False):
            attack.attack_single_run(x, y, is_targeted=True)
        return self.watched.adversarial

    def square(self, x: Tensor, y: Tensor, index: list[int]) -> Tensor:
        """Try random squares; one stream of proposals serves every image."""
        attack, seed = self.kit.square, self.case.seed
        attack.device = x.device
        draws = _Draws(seed, index, x.device)
        attack.random_choice = draws.signs
        attack.margin_and_loss = partial(_margin_and_loss, draws, type(attack), attack)
        with _seeded(stream_seed(seed, "evaluation", "square")):
            attack.init_hyperparam(x)
            return attack.attack_single_run(x, y)[1]

    def _apgd(
        self, attack: Any, x: Tensor, y: Tensor, index: list[int], *names: str | int
    ) -> Tensor:
        attack.device = x.device
        attack.init_hyperparam(x)
        shape, seed = (1, *x.shape[1:]), self.case.seed
        streams = [generator(seed, "evaluation", *names, i) for i in index]
        if self.case.norm == "linf":
            drawn = [2 * torch.rand(shape, generator=s) - 1 for s in streams]
        else:
            drawn = [torch.randn(shape, generator=s) for s in streams]
        begin = x + attack.eps * attack.normalize(torch.cat(drawn).to(x))
        # the library draws a start of its own all the same, and drops it
        with _seeded(0), self.watched.batch(x, y, in_gradients=True):
            attack.attack_single_run(x, y, x_init=begin)
        return self.watched.adversarial


class _Draws:
    """Square's random signs: an image's own at its start, later the same for all."""

    def __init__(self, seed: int, index: list[int], device: torch.device) -> None:
        self.streams = [generator(seed, "evaluation", "square", i) for i in index]
        self.device, self.begun = device, False

    def signs(self, shape: list[int]) -> Tensor:
        """Return -1 and 1, of this shape."""
        if len(shape) < 4:
            drawn = torch.rand(shape)
        elif self.begun:
            drawn = torch.rand([1, *shape[1:]]).expand(shape)
        else:
            one = [torch.rand([1, *shape[1:]], generator=s) for s in self.streams]
            drawn = torch.cat(one)
        return (2 * drawn - 1).sign().to(self.device)


def _margin_and_loss(
    draws: _Draws, kind: Any, attack: Any, x: Tensor, y: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the library's margins and losses; the first call ends the start draws."""
    draws.begun = True
    margins: tuple[Tensor, Tensor] = kind.margin_and_loss(attack, x, y)
    return margins


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Run the block with torch's global streams at *seed*, and put them back."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield
