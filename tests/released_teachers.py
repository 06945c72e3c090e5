"""The training steps of released codes that learn from another network, as there.

Names and order of what happens are the authors': Rade and Moosavi-Dezfooli 2022
(core/utils/hat.py), Zi et al. 2021 (rslad_loss.py and its script), Goldblum et al. 2020
(main.py) and Wang et al. 2023 (train_cifar_wa.py). In RSLAD and ARD the adversarial
batch is predicted before the clean one there; here after it, as BatchNorm's running
statistics see the order. Nothing of rofit is in it; the random start is given.
"""

from copy import deepcopy

import torch
import torch.nn.functional as F
from released_codes import ALPHA, ATTACK, EPSILON, delta_of_rice


def _copies(run):
    return [deepcopy(network) for network, _ in run.method.labels.teachers]


def _climbed(loss, x, start):
    """Return x_adv after the steps that all three write: sign, ball, [0, 1]."""
    x_adv = x.detach() + start
    for _ in range(ATTACK):
        x_adv.requires_grad_()
        grad = torch.autograd.grad(loss(x_adv), [x_adv])[0]
        x_adv = x_adv.detach() + ALPHA * torch.sign(grad.detach())
        x_adv = torch.min(torch.max(x_adv, x - EPSILON), x + EPSILON)
        x_adv = torch.clamp(x_adv, 0.0, 1.0)
    return x_adv


class Hat:
    """hat_loss, with README's beta and gamma."""

    def __init__(self, run):
        (self.hr_model,) = _copies(run)

    def __call__(self, model, opt, x, y, start, batch):
        criterion_kl = torch.nn.KLDivLoss(reduction="sum")
        model.eval()
        p_natural = F.softmax(model(x), dim=1).detach()

        def loss_kl(x_adv):
            return criterion_kl(F.log_softmax(model(x_adv), dim=1), p_natural)

        x_adv = _climbed(loss_kl, x, start)
        model.train()
        x_hr = x + 2.0 * (x_adv - x)
        y_hr = self.hr_model(x_adv).argmax(dim=1)
        out_clean, out_adv, out_help = model(x), model(x_adv), model(x_hr)
        loss_adv = (1 / len(x)) * criterion_kl(
            F.log_softmax(out_adv, dim=1), F.softmax(out_clean, dim=1)
        )
        loss = F.cross_entropy(out_clean, y) + 2.5 * loss_adv
        opt.step(loss + 0.5 * F.cross_entropy(out_help, y_hr))


class Rslad:
    """rslad_inner_loss, and what its script makes of the logits."""

    def __init__(self, run):
        (self.teacher,) = _copies(run)

    def __call__(self, model, opt, x, y, start, batch):
        with torch.no_grad():
            target = F.softmax(self.teacher(x), dim=1)
        model.eval()

        def loss_kl(x_adv):
            log_p = F.log_softmax(model(x_adv), dim=1)
            return torch.nn.KLDivLoss(reduction="none")(log_p, target).sum()

        x_adv = _climbed(loss_kl, x, start)
        model.train()
        nat_logits = model(x)
        adv_logits = model(x_adv)

        def kl_loss(a, b):
            return torch.mean(-a * b + torch.log(b + 1e-5) * b)

        kl_loss1 = kl_loss(F.log_softmax(adv_logits, dim=1), target)
        kl_loss2 = kl_loss(F.log_softmax(nat_logits, dim=1), target)
        opt.step(5 / 6.0 * kl_loss1 + 1 / 6.0 * kl_loss2)


class Ard:
    """train, whose AttackPGD leaves the network in train mode."""

    def __init__(self, run):
        (self.teacher_net,) = _copies(run)

    def __call__(self, model, opt, x, y, start, batch):
        def climbed(x_adv):
            return F.cross_entropy(model(x_adv), y, reduction="sum")

        x_adv = _climbed(climbed, x, start)
        basic_outputs, outputs = model(x), model(x_adv)
        teacher_outputs = self.teacher_net(x).detach()
        kl_loss = torch.nn.KLDivLoss(reduction="none")(
            F.log_softmax(outputs / 30.0, dim=1), F.softmax(teacher_outputs / 30.0, 1)
        ).mean()  # PyTorch's KLDivLoss() of that time: over examples and classes
        loss = 1.0 * 30.0 * 30.0 * kl_loss
        opt.step(loss + (1.0 - 1.0) * F.cross_entropy(basic_outputs, y))


class Rebat:
    """The loop after warmup_epochs, once model_wa was evaluated."""

    def __init__(self, run):
        self.model_wa = deepcopy(run.model).eval()

    def __call__(self, model, opt, x, y, start, batch):
        x_adv = torch.clamp(x + delta_of_rice(model, x, y, start), 0, 1)
        robust_output = model(x_adv)
        with torch.no_grad():
            robust_output_wa = self.model_wa(x_adv)
        reg_loss = F.kl_div(
            F.log_softmax(robust_output, dim=1),
            F.softmax(robust_output_wa, dim=1),
            reduction="batchmean",
        )
        opt.step(F.cross_entropy(robust_output, y) + reg_loss * 1.0)
        model(x)
        with torch.no_grad():
            mine, theirs = self.model_wa.state_dict(), model.state_dict()
            for key, value in mine.items():
                averaged = 0.999 * value + (1 - 0.999) * theirs[key]
                value.copy_(theirs[key] if key.endswith("tracked") else averaged)


CODES = {"hat": Hat, "rslad": Rslad, "ard": Ard, "rebat": Rebat}
