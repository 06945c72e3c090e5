"""Every method in the tests' own words, with settings that are not its defaults."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import slow_losses as loss
import slow_single_steps as single
import torch
from slow_losses import Step


@dataclass(frozen=True)
class Slow:
    """What a method is made of.

    Attributes:
        outer: what is descended, of an example.
        inner: what the attack climbs on; None trains on the clean inputs.
        labels: smooth, shared, table, te, kd, class, adr, clean (a teacher at the clean
            inputs), average or means (of classes); nothing is the given class.
        moves: weights, before the gradient: awp or mlcat.
        averages: weights, after the step: ema, swa or late (ReBAT's).
        near: the attack begins at 0.001 N(0, 1).
        reach: radius over epsilon that attacks begin in.
        attack: a function of slow_single_steps, where it is not PGD.
        weight: of a term of the loss, at the epoch that it is.
        both: the clean inputs pass the network as well, before the others.
        extra: makes inputs that pass it after the others.
        s: settings, such that labels that the product keeps in float32 are exact.
    """

    outer: Callable[[Step, int], torch.Tensor] = loss.plain
    inner: Callable[[Step, int], torch.Tensor] | None = loss.given
    labels: str = ""
    moves: str = ""
    averages: str = ""
    near: bool = False
    reach: float = 1.0
    attack: Callable[..., torch.Tensor] | None = None
    weight: Callable[..., float] = lambda run: 0.0
    both: bool = False
    extra: Callable[..., torch.Tensor] | None = None
    s: dict[str, Any] = field(default_factory=dict)


TABLE = {"label_momentum": 0.8, "clean_share": 0.3, "start": 0.5}
AWP = {"awp_gamma": 0.03, "awp_start": 0.5}
EMA, SWA = {"ema_decay": 0.9}, {"swa_start": 0.7}
KD = {"kd_temperature": 3.0, "kd_given": 0.4, "kd_clean": 0.5, "kd_robust": 0.7}
ADR = {"adr_decay": 0.8, "adr_hot": 2.0, "adr_cool": 0.5, "adr_first": 0.3}
ADR |= {"adr_last": 0.9}
TRADES = {"outer": loss.trades, "inner": loss.away, "both": True}
BETA = {"beta": 2.5}
SAT = BETA | {"sat_momentum": 0.7, "sat_start": 0.6}
TE = {"te_momentum": 0.8, "te_weight": 20.0, "te_start": 0.3, "te_full": 0.8}
SCE = {"sce_forward": 0.3, "sce_reverse": 0.7}
WP = {"wp_floor": 2.6, "wp_gamma": 0.02, "wp_ascents": 4}
LS = {"mlcat_floor": 2.15, "mlcat_detach": True}
HAT = {"beta": 2.5, "hat_weight": 0.7, "hat_reach": 3.0}
NUAT = {"nuat_weight": 3.0, "nuat_full": 0.8, "nuat_noise": 0.4}
PGI = {"pgi_decay": 0.6, "pgi_reset": 0.4, "pgi_weight": 4.0, "pgi_given": 0.4375}
NFGSM = {"nfgsm_noise": 3.0, "nfgsm_step": 1.5}
ARD = {"ard_temperature": 3.0, "ard_share": 0.75}
REBAT = {"rebat_beta": 1.5, "rebat_decay": 0.8, "rebat_start": 0.5}
IKL = {"ikl_distance": 3.0, "ikl_entropy": 1.5, "ikl_temperature": 2.0}
RECTIFIED = {"inner": loss.plain, "labels": "adr"}

SLOW = {
    "standard": Slow(inner=None),
    "pgd_at": Slow(),
    "label_smoothing": Slow(labels="smooth", s={"rho": 0.625}),
    "sgls": Slow(labels="table", s=TABLE),
    "sglr": Slow(labels="table", s=TABLE | {"r": 0.75}),
    "trades": Slow(**TRADES, near=True, s=BETA),
    "mart": Slow(loss.mart, near=True, both=True, s=BETA),
    "sce": Slow(loss.sce, s=SCE),
    "fast_at": Slow(s={"reach": 1.5}),
    "n_fgsm": Slow(attack=single.n_fgsm, reach=3.0, s=NFGSM),
    "hat": Slow(
        **TRADES | {"outer": loss.hat},
        **dict(near=True, labels="class", extra=single.helpers, s=HAT),
    ),
    "nuat": Slow(
        **dict(outer=loss.nuat, both=True, weight=single.nuat_weight),
        **dict(attack=single.nuat, s=NUAT),
    ),
    "fgsm_pgi": Slow(
        **dict(outer=loss.fgsm_pgi, labels="shared", attack=single.fgsm_pgi),
        **dict(extra=single.at_priors, s=PGI),
    ),
    "awp": Slow(moves="awp", s=AWP),
    "trades_awp": Slow(**TRADES, near=True, moves="awp", s=AWP | BETA),
    "mlcat_ls": Slow(loss.scaled, s=LS),
    "mlcat_wp": Slow(moves="mlcat", s=WP),
    "weight_ema": Slow(averages="ema", s=EMA),
    "swa": Slow(averages="swa", s=SWA),
    "kd": Slow(loss.kd, labels="kd", s=KD),
    "kd_swa": Slow(loss.kd, labels="kd", averages="swa", s=KD | SWA),
    "sat": Slow(loss.sat, loss.away, labels="table", near=True, both=True, s=SAT),
    "te": Slow(loss.te, loss.te, labels="te", s=TE),
    "adr": Slow(**RECTIFIED, s=ADR),
    "adr_ema": Slow(**RECTIFIED, averages="ema", s=ADR | EMA),
    "adr_awp": Slow(**RECTIFIED, moves="awp", s=ADR | AWP),
    "adr_ema_awp": Slow(**RECTIFIED, moves="awp", averages="ema", s=ADR | AWP | EMA),
    "trades_sgls": Slow(**TRADES, labels="table", s=TABLE | BETA),
    "mart_sgls": Slow(loss.mart, both=True, labels="table", s=TABLE | BETA),
    "rslad": Slow(
        **{"outer": loss.rslad, "inner": loss.taught, "labels": "clean"},
        **{"near": True, "both": True, "s": {"rslad_share": 0.75}},
    ),
    "ard": Slow(loss.ard, labels="clean", both=True, s=ARD),
    "rebat": Slow(loss.rebat, labels="average", averages="late", s=REBAT),
    "ikl": Slow(loss.ikl, loss.away, labels="means", near=True, both=True, s=IKL),
}
