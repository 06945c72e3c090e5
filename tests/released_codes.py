"""The training steps of released codes, written out as they are there.

Names and order of what happens are the authors': Rice et al. 2020 (train_cifar.py), Wu
et al. 2020 (AT_AWP), Zhang et al. 2019 (trades.py), Yu et al. 2022 (steps 4 and 5), Cui
et al. 2024 (train_dkl_cifar10.py), Wu et al. 2024 (advTrainer.py) and Chen et al. 2021
(main_adv.py). Nothing of rofit is in it; the random start is given, as is the network.
"""

from copy import deepcopy

import numpy as np
import torch
import torch.nn.functional as F

EPSILON, ALPHA, LR, DECAY = 0.1, 0.05, 0.05, 5e-4
ATTACK = 2  # steps of it
FLOOR = 2.6  # MLCAT's, such that it decides


class SGD:
    """Torch's update written out: weight decay in the gradient, then momentum."""

    def __init__(self, net, nesterov=False):
        self.weights, self.nesterov = list(net.parameters()), nesterov
        self.buffers = [torch.zeros_like(w) for w in self.weights]

    def step(self, loss):
        gradients = torch.autograd.grad(loss, self.weights)
        with torch.no_grad():
            for w, g, v in zip(self.weights, gradients, self.buffers, strict=True):
                g = g + DECAY * w
                v.mul_(0.9).add_(g)
                w -= LR * (g + 0.9 * v if self.nesterov else v)


def delta_of_rice(model, x, y, start):
    """attack_pgd: in the model's mode, and all_loss at the end."""
    delta = torch.max(torch.min(start, 1 - x), 0 - x)
    for _ in range(ATTACK):
        delta.requires_grad_(True)
        (grad,) = torch.autograd.grad(F.cross_entropy(model(x + delta), y), delta)
        d = torch.clamp(delta.detach() + ALPHA * torch.sign(grad), -EPSILON, EPSILON)
        delta = torch.max(torch.min(d, 1 - x), 0 - x)
    model(x + delta)
    return delta


def rice(model, opt, x, y, start, batch):
    delta = delta_of_rice(model, x, y, start)
    opt.step(F.cross_entropy(model(torch.clamp(x + delta, 0, 1)), y))
    model(x)


def _perturbation(model, x_adv, y):
    """calc_awp: a proxy takes a step of SGD up the loss; each tensor by its norm."""
    proxy = deepcopy(model).train()
    theirs = [w for w in proxy.parameters() if w.ndim > 1]
    up = torch.autograd.grad(F.cross_entropy(proxy(x_adv), y), theirs)
    mine = [w for w in model.parameters() if w.ndim > 1]
    diff = [0.01 * g for g in up]
    return [
        (w, 0.01 * w.detach().norm() / d.norm() * d)
        for w, d in zip(mine, diff, strict=True)
    ]


def _move(moves, sign):
    with torch.no_grad():
        for weight, added in moves:
            weight += sign * added


def awp(model, opt, x, y, start, batch):
    x_adv = torch.clamp(x + delta_of_rice(model, x, y, start), 0, 1)
    moves = _perturbation(model, x_adv, y)
    _move(moves, 1)
    opt.step(F.cross_entropy(model(x_adv), y))
    _move(moves, -1)
    model(x)


def mlcat_wp(model, opt, x, y, start, batch):
    x_adv = torch.clamp(x + delta_of_rice(model, x, y, start), 0, 1)
    mine = [w for w in model.parameters() if w.ndim > 1]
    size = torch.cat([w.detach().flatten() for w in mine]).norm()
    diff, scaled = [0.0 for _ in mine], [0.0 for _ in mine]
    for _ in range(10):
        proxy = deepcopy(model).train()
        theirs = [w for w in proxy.parameters() if w.ndim > 1]
        _move(zip(theirs, scaled, strict=True), 0.01)
        loss = F.cross_entropy(proxy(x_adv), y, reduction="none")
        up = torch.autograd.grad((loss * (loss < FLOOR)).mean(), theirs)
        diff = [d + 0.01 * g for d, g in zip(diff, up, strict=True)]
        length = torch.cat([d.flatten() for d in diff]).norm()
        scaled = [size / length * d for d in diff]
    moves = [(w, 0.01 * d) for w, d in zip(mine, scaled, strict=True)]
    _move(moves, 1)
    opt.step(F.cross_entropy(model(x_adv), y))
    _move(moves, -1)


def mlcat_ls(model, opt, x, y, start, batch):
    x_adv = torch.clamp(x + delta_of_rice(model, x, y, start), 0, 1)
    loss = F.cross_entropy(model(x_adv), y, reduction="none")
    rate = FLOOR / loss
    opt.step((loss * torch.where(rate > 1, rate, 1.0)).mean())


def trades(model, opt, x, y, start, batch):
    criterion_kl = torch.nn.KLDivLoss(reduction="sum")
    model.eval()
    x_adv = x.detach() + start
    for _ in range(ATTACK):
        x_adv.requires_grad_()
        loss_kl = criterion_kl(
            F.log_softmax(model(x_adv), dim=1), F.softmax(model(x), dim=1)
        )
        grad = torch.autograd.grad(loss_kl, [x_adv])[0]
        x_adv = x_adv.detach() + ALPHA * torch.sign(grad.detach())
        x_adv = torch.min(torch.max(x_adv, x - EPSILON), x + EPSILON).clamp(0, 1)
    model.train()
    loss_natural = F.cross_entropy(model(x), y)
    loss_robust = (1.0 / len(x)) * criterion_kl(
        F.log_softmax(model(x_adv), dim=1), F.softmax(model(x), dim=1)
    )
    opt.step(loss_natural + 6.0 * loss_robust)


def _dkl_loss(logits_nat, logits_adv, weight, alpha, beta):
    delta_n = logits_nat.view(-1, 10, 1) - logits_nat.view(-1, 1, 10)
    delta_a = logits_adv.view(-1, 10, 1) - logits_adv.view(-1, 1, 10)
    loss_mse = 0.25 * (torch.pow(delta_n - delta_a, 2) * weight).sum() / len(weight)
    p = F.softmax(logits_nat, dim=1).detach()
    loss_sce = -(p * F.log_softmax(logits_adv, dim=-1)).sum(1).mean()
    return beta * loss_mse + alpha * loss_sce


class Ikl:
    """train and perturb_input, without weights perturbed; there x_adv passes first."""

    def __init__(self, run):
        self.weight = run.method.labels.means.clone()

    def __call__(self, model, opt, x, y, start, batch):
        s_n = F.one_hot(y, 10).double() @ self.weight
        sample_weight = s_n.view(-1, 10, 1) @ s_n.view(-1, 1, 10)
        model.eval()
        x_adv = x.detach() + start
        for _ in range(5):
            x_adv.requires_grad_()
            loss_kl = _dkl_loss(model(x), model(x_adv), sample_weight, 1.0, 0.0)
            grad = torch.autograd.grad(loss_kl, [x_adv])[0]
            x_adv = x_adv.detach() + ALPHA * torch.sign(grad.detach())
            x_adv = torch.min(torch.max(x_adv, x - EPSILON), x + EPSILON).clamp(0, 1)
        model.train()
        logits_nat, logits_adv = model(x), model(x_adv)
        loss_robust = _dkl_loss(logits_nat, logits_adv, sample_weight, 4.0, 20.0)
        opt.step(F.cross_entropy(logits_nat, y) + loss_robust)


class Adr:
    """_train_one_epoch: climb and train on the teacher's label, then move it."""

    def __init__(self, model):
        self.teacher = deepcopy(model).eval()

    def __call__(self, model, opt, x, y, start, batch):
        half = (1 + np.cos(np.pi * (9 + batch.step / 3) / 10)) / 2
        with torch.no_grad():
            prob = F.softmax(self.teacher(x) / (2.0 + 0.5 * half), dim=1)
        right = prob.gather(1, y[:, None]).squeeze()
        share = (0.95 - 0.25 * half) - (prob.amax(1) - right)
        share = share.clamp(0, 1)[:, None]
        label = share * prob + (1 - share) * F.one_hot(y, 10)
        adv = torch.clamp(x + start, 0, 1)
        for _ in range(ATTACK):
            adv = adv.detach().requires_grad_()
            grad = torch.autograd.grad(F.cross_entropy(model(adv), label), adv)[0]
            moved = adv.detach() + ALPHA * grad.sign()
            adv = torch.clamp(x + torch.clamp(moved - x, -EPSILON, EPSILON), 0, 1)
        opt.step(F.cross_entropy(model(adv), label))
        state = zip(
            self.teacher.state_dict().values(), model.state_dict().values(), strict=True
        )
        for e, w in state:
            e.copy_(0.995 * e + 0.005 * w)


class Kd:
    """train_epoch_adv_dual_teacher: advertorch's attack leaves the model's mode."""

    def __init__(self, run):
        self.teachers = [deepcopy(network) for network, _ in run.method.labels.teachers]

    def __call__(self, model, opt, x, y, start, batch):
        delta = torch.clamp(x + start, 0, 1) - x
        for _ in range(ATTACK):
            delta = delta.detach().requires_grad_()
            loss = F.cross_entropy(model(x + delta), y, reduction="sum")
            grad = torch.autograd.grad(loss, delta)[0]
            delta = torch.clamp(delta.detach() + ALPHA * grad.sign(), -EPSILON, EPSILON)
            delta = torch.clamp(x + delta, 0, 1) - x
        output = model(x + delta)
        loss = 0.3 * F.cross_entropy(output, y)
        for teacher, coef in zip(self.teachers, (0.1, 0.6), strict=True):
            target = F.softmax(teacher(x + delta).detach() / 2.0, dim=1)
            taught = -(target * F.log_softmax(output / 2.0, dim=1)).sum(1).mean()
            loss = loss + coef * 2.0**2 * taught
        opt.step(loss)


# Of a training of ours: its method's step, (model, opt, x, y, start, batch) -> None.
CODES = {
    "pgd_at": lambda run: rice,
    "awp": lambda run: awp,
    "mlcat_wp": lambda run: mlcat_wp,
    "mlcat_ls": lambda run: mlcat_ls,
    "trades": lambda run: trades,
    "ikl": Ikl,
    "adr": lambda run: Adr(run.model),
    "kd": Kd,
}
