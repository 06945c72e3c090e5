"""Evaluations of a network: attacks by name, inside a threat model.

    clean  fgsm  pgd20  pgd20x5 (restarts)  cw100  apgd-ce  apgd-t  fab-t  square5000
    autoattack  apgd-ce+fab-t+square (AutoAttack of two or three classes)  transfer

An ``@`` names another radius than the run's: ``pgd20@4/255``.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from rofit.errors import UserError, unknown
from rofit.settings.knobs import parse_value
from rofit.settings.spec import RunSpec
from rofit.settings.threat import NORMS, ThreatModel


@dataclass(frozen=True)
class Attack:
    """What an attack's name may say.

    Attributes:
        description: what it does, in a phrase.
        number: of steps or queries where the name says none; 0 if it must be named,
            None if there is none.
        restarts: whether it can begin several times.
        norms: of the threat models it is made for.
        ours: whether its steps are rofit's, of a step size.
        passes: forward passes with an input gradient, an image, at most; for each of
            the number where there is one.
    """

    description: str
    number: int | None = None
    restarts: bool = False
    norms: tuple[str, ...] = ("linf", "l2")
    ours: bool = False
    passes: float = 1


ATTACKS = {
    "clean": Attack("no attack"),
    "fgsm": Attack("one signed step of epsilon from the image", None, norms=("linf",)),
    "pgd": Attack("PGD on cross entropy: pgd20, pgd20x5", 0, True, ours=True),
    "cw": Attack("PGD on C&W's margin: cw100", 100, True, ours=True),
    "apgd-ce": Attack("AutoAttack's first: Auto-PGD, 100 steps", passes=100),
    "apgd-t": Attack("its second: Auto-PGD on the DLR loss, 9 targets", passes=900),
    "fab-t": Attack("its third: FAB, 9 targets", passes=1800),
    "square": Attack("its fourth, black box: square5000 queries", 5000, passes=1 / 3),
    "autoattack": Attack("AutoAttack standard: the four in turn", passes=4500),
    "apgd-ce+fab-t+square": Attack(
        "what of autoattack two or three classes allow: all but apgd-t", passes=3567
    ),
    "transfer": Attack("PGD-20 on another network (--from)", ours=True, passes=20),
}
# What autoattack is below so many classes: targeted DLR losses read the fourth logit.
WITHOUT_DLR, FEWEST = "apgd-ce+fab-t+square", 4
# What `--attack all` stands for.
ALL = (
    "clean fgsm pgd20 pgd20x5 pgd100 cw100 apgd-ce apgd-t square5000 autoattack"
).split()
_KINDS = "|".join(map(re.escape, ATTACKS))
_NAME = re.compile(
    rf"(?P<kind>{_KINDS})(?P<number>[0-9]{{1,6}})?(?:x(?P<times>[0-9]{{1,4}}))?"
)


@dataclass(frozen=True)
class Case:
    """One evaluation: everything that its verdicts depend on besides the network.

    Attributes:
        kind: a key of ATTACKS.
        number: of steps or queries; 0 where there is no such number.
        restarts: number of starts.
        norm: of the threat model.
        epsilon: its radius in input units.
        step_size: in input units; 0 for attacks that are not ours.
        n: the first so many of the run's test images.
        seed: of every draw.
        source: the network on which adversarial examples are made, if another.
        precision: of products and convolutions, ``fp32`` or ``tf32``.
    """

    kind: str
    number: int
    restarts: int
    norm: str
    epsilon: float
    step_size: float
    n: int
    seed: int = 0
    source: str = ""
    precision: str = "fp32"

    @property
    def attack(self) -> str:
        """The attack as rows and tables call it: ``pgd20x5``, ``none`` for clean.

        Another precision than fp32 is a part of the name: ``pgd20-tf32``.
        """
        times = f"x{self.restarts}" if self.restarts > 1 else ""
        name = f"{self.kind}{self.number or ''}{times}"
        return ("none" if self.kind == "clean" else name) + suffix(self.precision)

    @property
    def passes(self) -> float:
        """Forward passes with an input gradient, an image, at most."""
        return ATTACKS[self.kind].passes * (self.number or 1) * self.restarts

    @property
    def threat(self) -> ThreatModel:
        """The threat model."""
        return ThreatModel(self.norm, self.epsilon)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, without a precision of fp32: old keys had none."""
        values = asdict(self)
        if self.precision == "fp32":
            del values["precision"]
        return values

    def key(self, digest: str) -> str:
        """Return the name of this evaluation of the network with that digest."""
        text = json.dumps(self.as_dict() | {"network": digest}, sort_keys=True)
        return f"{self.attack}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def read_cases(
    names: Iterable[str],
    spec: RunSpec,
    *,
    n: int,
    n_classes: int = 0,
    norm: str = "",
    epsilons: Iterable[float] = (),
    seed: int = 0,
    source: str = "",
    precision: str = "fp32",
) -> list[Case]:
    """Return the cases that *names* stand for, for a run.

    Steps keep the run's ratio to the radius; in another norm, and where the run has no
    radius, they are a quarter of it (ours).

    Args:
        names: attacks, with a radius behind an ``@`` where it is another; ``all``.
        spec: of the run.
        n: test images.
        n_classes: of the network; below FEWEST, ``autoattack`` stands for WITHOUT_DLR
            and ``all`` has no ``apgd-t``. 0 where they are not known.
        norm: of the threat model; the run's where empty.
        epsilons: radii for the names that say none; the run's where empty.
        seed: of every draw.
        source: digest of the network that transfer attacks; empty if there is none.
        precision: ``fp32`` or ``tf32``.

    Raises:
        UserError: an unknown attack, one that is senseless for the norm, a radius out
            of range.
    """
    norm = norm or spec.norm
    usual = list(epsilons) or [spec.epsilon if norm == spec.norm else 0.0]
    cases = []
    for name, radius in _spelt_out(names, norm, n_classes):
        kind, number, restarts = _parse(name)
        if kind == "clean":
            if radius is not None:
                raise UserError(f"clean has no radius, got clean@{radius}")
            clean = Case(kind, 0, 1, spec.norm, 0.0, 0.0, n, precision=precision)
            cases.append(clean)
            continue
        if kind == "transfer" and not source:
            raise UserError("transfer needs the run to attack instead: --from RUN")
        for epsilon in _radii(radius, usual):
            threat = ThreatModel(norm, epsilon)
            if norm not in ATTACKS[kind].norms:
                raise UserError(
                    f"{kind} is an attack inside {ATTACKS[kind].norms[0]}, not {norm}; "
                    "pgd1 is the like of it"
                )
            if not epsilon:
                typed = name if radius is None else f"{name}@{radius}"
                raise UserError(
                    f"{typed} needs a radius above 0: name one with --epsilon"
                )
            step = _step_size(spec, threat) if ATTACKS[kind].ours else 0.0
            whose = source if kind == "transfer" else ""
            settings = (kind, number, restarts, norm, epsilon, step, n)
            cases.append(Case(*settings, seed, whose, precision))
    return list(dict.fromkeys(cases))


def suffix(precision: str) -> str:
    """Return what the names of an evaluation in that precision end with."""
    return "" if precision == "fp32" else f"-{precision}"


def _radii(typed: str | None, usual: list[float]) -> list[float]:
    return usual if typed is None else [parse_value("epsilon", typed, float)]


def _spelt_out(
    names: Iterable[str], norm: str, n_classes: int
) -> list[tuple[str, str | None]]:
    """Return names and radii (as text), those of ``all`` if norm and classes allow."""
    if norm not in NORMS:
        raise unknown("norm", norm, NORMS)
    few = 0 < n_classes < FEWEST
    pairs: list[tuple[str, str | None]] = []
    for name in names:
        text, at, radius = name.partition("@")
        typed = radius if at else None
        if text != "all":
            pairs.append((text, typed))
            continue
        usual = [name for name in ALL if not (few and name == "apgd-t")]
        attacks = [name for name in usual if norm in ATTACKS[_parse(name)[0]].norms]
        pairs += [(attack, None if attack == "clean" else typed) for attack in attacks]
    renamed = {"autoattack": WITHOUT_DLR} if few else {}
    return [(renamed.get(name, name), radius) for name, radius in pairs]


def _parse(name: str) -> tuple[str, int, int]:
    """Return kind, number and restarts."""
    named = _NAME.fullmatch(name)
    if named is None or named["kind"] not in ATTACKS:
        raise unknown("attack", name, [*ATTACKS, "all"])
    kind, attack = named["kind"], ATTACKS[named["kind"]]
    number = int(named["number"]) if named["number"] else attack.number
    if number == 0:
        unit, example = ("queries", 5000) if kind == "square" else ("steps", 20)
        raise UserError(
            f"{kind} needs its number of {unit}, at least 1: {kind}{example}"
        )
    if named["number"] and attack.number is None:
        raise UserError(f"{kind} takes no number, got {name!r}")
    if named["times"] and (not attack.restarts or int(named["times"]) < 1):
        raise UserError(f"{name!r}: restarts are for pgd and cw, at least 1: pgd20x5")
    return kind, number or 0, int(named["times"] or 1)


def _step_size(spec: RunSpec, threat: ThreatModel) -> float:
    if threat.norm == spec.norm and spec.epsilon:
        return threat.epsilon * (spec.step_size / spec.epsilon)
    return threat.epsilon / 4
