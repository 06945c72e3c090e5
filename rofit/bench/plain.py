"""What the field's scripts do, as they do it: the baselines, sharing no code of ours.

``plain`` follows the training scripts of Rice et al. 2020 and their many descendants:
fp32, NCHW, eager, the attack in train mode with ``loss.backward()`` (which computes the
weights' gradients as well and throws them away), one more evaluation of the attack's
loss, a clean prediction for the log, images transformed one by one in a loader.
``plain-eval`` is the best that people write without changing precision or layout: the
attack in eval mode with the gradient of the input alone, and nothing that is thrown
away.
"""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

EPSILON, STEP_SIZE = 8 / 255, 2 / 255


class ImageFiles(Dataset[tuple[Tensor, int]]):
    """Images as PIL would open them, transformed one by one."""

    def __init__(self, pixels: np.ndarray, labels: np.ndarray) -> None:
        """Take uint8 pixels (N, C, H, W) and classes (N,)."""
        self.pixels = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
        self.labels = labels
        self.transform = transforms.Compose(
            [
                transforms.ToPILImage(),
                transforms.RandomCrop(pixels.shape[-1], padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
            ]
        )

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        """Return one image (C, H, W) in [0, 1] and its class."""
        return self.transform(self.pixels[i]), int(self.labels[i])


class Plain:
    """One training by a public script."""

    def __init__(
        self,
        model: nn.Module,
        images: ImageFiles,
        *,
        batch_size: int,
        steps: int,
        device: torch.device,
        eval_mode: bool,
        workers: int,
    ) -> None:
        """Take a network of the script's own, in train mode, on the device.

        *workers* are processes that load images beside the training; 0 for none.
        """
        self.model, self.steps, self.device = model, steps, device
        self.eval_mode = eval_mode
        self.loader = DataLoader(
            images,
            batch_size,
            shuffle=True,
            drop_last=True,
            num_workers=workers,
            pin_memory=device.type == "cuda",
            persistent_workers=workers > 0,
            # A fork of a process that has used CUDA, or threads, may hang.
            multiprocessing_context="spawn" if workers else None,
        )
        self.batches = self._endless()
        self.held = next(self.batches)
        self.optimizer = torch.optim.SGD(
            model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4
        )

    def step(self) -> None:
        """Load a batch, attack it and train on it."""
        x, y = next(self.batches)
        attack = self.attack_eval if self.eval_mode else self.attack
        delta = attack(x, y, self.steps)
        if not self.eval_mode:
            with torch.no_grad():  # the attack's loss, to keep the best restart
                F.cross_entropy(self.model(x + delta), y, reduction="none")
        loss = F.cross_entropy(self.model((x + delta).clamp(0, 1)), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        if not self.eval_mode:
            F.cross_entropy(self.model(x), y)  # clean loss and accuracy, for the log

    def passes(self, steps: int) -> None:
        """Make *steps* passes of the attack on one batch."""
        (self.attack_eval if self.eval_mode else self.attack)(*self.held, steps)

    def attack(self, x: Tensor, y: Tensor, steps: int) -> Tensor:
        """Return PGD's perturbation: train mode, ``loss.backward()``."""
        delta = torch.empty_like(x).uniform_(-EPSILON, EPSILON)
        delta = (delta.clamp(-x, 1 - x)).requires_grad_(True)
        for _ in range(steps):
            loss = F.cross_entropy(self.model(x + delta), y)
            loss.backward()
            assert delta.grad is not None
            moved = delta.detach() + STEP_SIZE * delta.grad.detach().sign()
            moved = moved.clamp(-EPSILON, EPSILON)
            delta.data = torch.max(torch.min(moved, 1 - x), -x)
            delta.grad.zero_()
        return delta.detach()

    def attack_eval(self, x: Tensor, y: Tensor, steps: int) -> Tensor:
        """Return PGD's perturbation: eval mode, the input's gradient alone."""
        self.model.eval()
        delta = torch.empty_like(x).uniform_(-EPSILON, EPSILON)
        delta = delta.clamp(-x, 1 - x)
        for _ in range(steps):
            delta.requires_grad_(True)
            loss = F.cross_entropy(self.model(x + delta), y)
            (gradient,) = torch.autograd.grad(loss, delta)
            moved = (delta.detach() + STEP_SIZE * gradient.sign()).clamp(
                -EPSILON, EPSILON
            )
            delta = torch.max(torch.min(moved, 1 - x), -x)
        self.model.train()
        return delta

    def _endless(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            for x, y in self.loader:
                yield x.to(self.device), y.to(self.device)
