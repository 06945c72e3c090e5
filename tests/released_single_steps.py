"""The training steps of released codes that attack in one step, written as there.

Names and order of what happens are the authors': de Jorge et al. 2022 (train.py) and
Jia et al. 2022 (FGSM_MEP.py). Nothing of rofit is in it; the noise is given.
"""

from copy import deepcopy

import numpy as np
import torch
import torch.nn.functional as F
from released_codes import EPSILON

GIVEN = 0.4375  # for 0.6: a label that float32 has exactly


def _clamp(delta, low, high):
    return torch.max(torch.min(delta, high), low)


def n_fgsm(model, opt, x, y, start, batch):
    eta = _clamp(start, 0 - x, 1 - x).requires_grad_()
    grad = torch.autograd.grad(F.cross_entropy(model(x + eta), y), eta)[0]
    delta = _clamp(eta.detach() + EPSILON * torch.sign(grad), 0 - x, 1 - x)
    opt.step(F.cross_entropy(model(x + delta), y))


def _label_smooth_loss(output, target):
    return (-target * F.log_softmax(output, dim=-1)).sum(dim=-1).mean()


class FgsmPgi:
    """Its loop in an epoch that goes on with the priors of the one before."""

    def __init__(self, run):
        self.remembered = deepcopy(run.method.inner.state_dict())

    def __call__(self, model, opt, x, y, start, batch):
        all_delta, all_momentum = self.remembered["prior"], self.remembered["momentum"]
        delta = all_delta[batch.index].clone().requires_grad_()
        one_hot = np.eye(10)[y.numpy()]
        smoothing = one_hot * GIVEN + (one_hot - 1.0) * ((GIVEN - 1) / 9)
        smoothing = torch.tensor(smoothing)
        ori_output = model(x + delta)
        ori_loss = _label_smooth_loss(ori_output, smoothing)
        x_grad = torch.autograd.grad(ori_loss, delta, retain_graph=True)[0]
        grad_norm = torch.norm(x_grad, p=1)
        momentum = x_grad / grad_norm + all_momentum[batch.index] * 0.3
        begun = delta.detach()
        next_delta = (begun + EPSILON * torch.sign(momentum)).clamp(-EPSILON, EPSILON)
        delta = (begun + EPSILON * torch.sign(x_grad)).clamp(-EPSILON, EPSILON)
        output = model(x + _clamp(delta, 0 - x, 1 - x))
        loss = _label_smooth_loss(output, smoothing)
        loss = loss + 10 * F.mse_loss(output, ori_output)
        model(x + begun)  # not there: BatchNorm's statistics see it once more
        opt.step(loss)
        all_momentum[batch.index] = momentum
        all_delta[batch.index] = _clamp(next_delta, 0 - x, 1 - x)


CODES = {"n_fgsm": lambda run: n_fgsm, "fgsm_pgi": FgsmPgi}
