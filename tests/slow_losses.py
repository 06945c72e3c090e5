"""The losses of the methods as loops over examples and classes, on scalars.

Nothing of rofit computes here. What a loss may look at is a `Step`.

Source: docs/method.md, "Losses of the other methods".
"""

import math
from dataclasses import dataclass
from typing import Any

import torch

Scalars = list[torch.Tensor]
K = 10


@dataclass
class Step:
    """What a batch's losses are made of, a row an example.

    Attributes:
        s: settings of the method.
        y: given classes.
        labels: what is trained on.
        adv: logits on the adversarial inputs.
        clean: logits on the clean inputs, where the method makes them.
        weight: of TE's distance, NuAT's norm or ReBAT's divergence.
        origin: logits on the clean inputs, for an attack that moves away from them.
        extra: logits on a method's extra inputs.
    """

    s: dict[str, Any]
    y: list[int]
    labels: list[list[float]]
    adv: torch.Tensor
    clean: torch.Tensor | None = None
    weight: float = 0.0
    origin: torch.Tensor | None = None
    extra: torch.Tensor | None = None


def softmax(row: torch.Tensor, temperature: float = 1.0) -> Scalars:
    """Return one example's probabilities as scalars that keep gradients."""
    powers = [(value / temperature).exp() for value in row]
    total = sum(powers)
    return [power / total for power in powers]


def hard(y: int) -> list[float]:
    return [float(k == y) for k in range(K)]


def ce(label: list[float], p: Scalars) -> torch.Tensor:
    return -sum(label[k] * p[k].log() for k in range(K) if label[k] != 0)


def kl(p: Scalars, q: Scalars) -> torch.Tensor:
    return sum(p[k] * (p[k].log() - q[k].log()) for k in range(K))


def label_kl(label: list[float], q: Scalars) -> torch.Tensor:
    """KL(label || q), 0 log 0 being 0."""
    pairs = zip(label, q, strict=True)
    return sum(v * (math.log(v) - other.log()) for v, other in pairs if v)


def squared(p: Scalars, label: list[float]) -> torch.Tensor:
    return sum((p[k] - label[k]) ** 2 for k in range(K)) / K


def plain(step: Step, i: int) -> torch.Tensor:
    """5.1 and 1.2: CE(label, f(x'))."""
    return ce(step.labels[i], softmax(step.adv[i]))


def trades(step: Step, i: int) -> torch.Tensor:
    """5.4: CE(label, f(x)) + beta KL(f(x) || f(x'))."""
    p, q = softmax(step.clean[i]), softmax(step.adv[i])
    return ce(step.labels[i], p) + step.s["beta"] * kl(p, q)


def hat(step: Step, i: int) -> torch.Tensor:
    """CE(y, f(x)) + beta KL(f(x) || f(x')) + gamma CE(s(x'), f(x + h (x' - x)))."""
    p, q, r = softmax(step.clean[i]), softmax(step.adv[i]), softmax(step.extra[i])
    smooth = ce(hard(step.y[i]), p) + step.s["beta"] * kl(p, q)
    return smooth + step.s["hat_weight"] * ce(step.labels[i], r)


def nuat(step: Step, i: int) -> torch.Tensor:
    """CE(y, f(x)) + lambda ||Z - Z'||_* / B, the norm by LAPACK."""
    norm = torch.linalg.svdvals(step.clean - step.adv).sum()
    return ce(hard(step.y[i]), softmax(step.clean[i])) + step.weight * norm / len(
        step.y
    )


def fgsm_pgi(step: Step, i: int) -> torch.Tensor:
    """CE(label, f(x')) + w mean_k (z_k(x') - z_k(x + p_i))^2."""
    change = sum((step.adv[i, k] - step.extra[i, k]) ** 2 for k in range(K)) / K
    return plain(step, i) + step.s["pgi_weight"] * change


def sat(step: Step, i: int) -> torch.Tensor:
    """5.8: the same, CE weighted by max_k t_ik, of mean 1 over the batch."""
    sure = [max(label) for label in step.labels]
    p, q = softmax(step.clean[i]), softmax(step.adv[i])
    weight = sure[i] * len(sure) / sum(sure)
    return weight * ce(step.labels[i], p) + step.s["beta"] * kl(p, q)


def boosted(step: Step, i: int) -> torch.Tensor:
    """5.5 without its R: CE(label, f(x')) - log(1.0001 - max wrong f_k(x'))."""
    q = softmax(step.adv[i])
    wrong = max((q[k] for k in range(K) if k != step.y[i]), key=torch.Tensor.item)
    return ce(step.labels[i], q) - (1.0001 - wrong).log()


def mart(step: Step, i: int) -> torch.Tensor:
    """5.5: boosted + beta KL(f(x) || f(x')) (1.0000001 - f_y(x))."""
    p, q = softmax(step.clean[i]), softmax(step.adv[i])
    apart = kl(p, q) * (1.0000001 - p[step.y[i]])
    return boosted(step, i) + step.s["beta"] * apart


def sce(step: Step, i: int) -> torch.Tensor:
    """5.3: a CE(label, p) - b sum_k p_k log max(label_k, 1e-4)."""
    p = softmax(step.adv[i])
    logs = [math.log(max(value, 1e-4)) for value in step.labels[i]]
    reverse = -sum(p[k] * logs[k] for k in range(K))
    forward = ce(step.labels[i], p)
    return step.s["sce_forward"] * forward + step.s["sce_reverse"] * reverse


def scaled(step: Step, i: int) -> torch.Tensor:
    """5.10, MLCAT_LS: losses below the floor times floor / loss."""
    loss, floor = plain(step, i), step.s["mlcat_floor"]
    if not loss.item() < floor:
        return loss
    return loss * (floor / (loss.item() if step.s["mlcat_detach"] else loss))


def kd(step: Step, i: int) -> torch.Tensor:
    """5.7: a CE(y, f) + T^2 sum_j b_j CE(t_j, f at T); labels are pairs t_1, t_2."""
    s, temperature = step.s, step.s["kd_temperature"]
    first, second = step.labels[i]
    cool = softmax(step.adv[i], temperature)
    taught = s["kd_clean"] * ce(first, cool) + s["kd_robust"] * ce(second, cool)
    given = s["kd_given"] * ce(hard(step.y[i]), softmax(step.adv[i]))
    return given + temperature**2 * taught


def te(step: Step, i: int) -> torch.Tensor:
    """5.9: CE(y, f(x')) + w(t) mean_k (f_k(x') - q_k)^2."""
    p = softmax(step.adv[i])
    return ce(hard(step.y[i]), p) + step.weight * squared(p, step.labels[i])


def rslad(step: Step, i: int) -> torch.Tensor:
    """Zi 2021: a D(t, f(x')) + (1 - a) D(t, f(x)), D = sum_k t_k log((t_k + o) / p_k).

    o is 1e-5, and D counts a tenth.
    """
    share, label = step.s["rslad_share"], step.labels[i]
    apart = [
        sum(
            v * (math.log(v + 1e-5) - q.log()) / 10
            for v, q in zip(label, softmax(logits[i]), strict=True)
        )
        for logits in (step.adv, step.clean)
    ]
    return share * apart[0] + (1 - share) * apart[1]


def ard(step: Step, i: int) -> torch.Tensor:
    """Goldblum 2020: a T^2 / K KL(t, f(x') at T) + (1 - a) CE(y, f(x))."""
    share, temperature = step.s["ard_share"], step.s["ard_temperature"]
    apart = label_kl(step.labels[i], softmax(step.adv[i], temperature))
    plain_ce = ce(hard(step.y[i]), softmax(step.clean[i]))
    return share * temperature**2 * apart / K + (1 - share) * plain_ce


def rebat(step: Step, i: int) -> torch.Tensor:
    """Wang 2023: CE(y, f(x')) + beta KL(e(x') || f(x')), e the averaged weights'."""
    q = softmax(step.adv[i])
    return ce(hard(step.y[i]), q) + step.weight * label_kl(step.labels[i], q)


def ikl(step: Step, i: int) -> torch.Tensor:
    """Cui 2024: CE(y, f(x)) + b/4 sum_jk s_j s_k (n_j - n_k - a_j + a_k)^2 + a CE."""
    natural, adv, s = step.clean[i], step.adv[i], step.labels[i]
    pairs = sum(
        s[j] * s[k] * (natural[j] - natural[k] - adv[j] + adv[k]) ** 2
        for j in range(K)
        for k in range(K)
    )
    p = softmax(natural)
    smooth = ce([value.item() for value in p], softmax(adv))
    weighted = step.s["ikl_distance"] * pairs / 4 + step.s["ikl_entropy"] * smooth
    return ce(hard(step.y[i]), p) + weighted


def taught(step: Step, i: int) -> torch.Tensor:
    """What RSLAD's attack climbs on: KL(t || f(x')), t the teacher at x."""
    return label_kl(step.labels[i], softmax(step.adv[i]))


def given(step: Step, i: int) -> torch.Tensor:
    """What most attacks climb on: the loss of the given class."""
    return ce(hard(step.y[i]), softmax(step.adv[i]))


def away(step: Step, i: int) -> torch.Tensor:
    """What TRADES' attack climbs on: KL from the prediction on the clean input."""
    return kl(softmax(step.origin[i]), softmax(step.adv[i]))
