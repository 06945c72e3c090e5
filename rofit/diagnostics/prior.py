"""A prior for the weights: where held-out images alone would have taken them."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from rofit.losses import cross_entropy
from rofit.seeding import generator, stream_seed

EPOCHS, BATCH, LR, WEIGHT_DECAY = 10, 128, 1e-3, 1e-5


def trained_prior(
    model: nn.Module, initial: dict[str, Tensor], x: Tensor, y: Tensor, seed: int
) -> dict[str, Tensor]:
    """Return the weights after training *model* from *initial* on held-out images.

    Adam on the cross entropy of clean images, train mode, no augmentation: 10 epochs,
    batch 128, learning rate 1e-3, weight decay 1e-5. The result depends on nothing but
    the arguments; *model* itself is not changed.

    Source: `train_prior` of the code of the PAC-Bayes information bottleneck (values).
    Differs: it begins where the run itself began, theirs at other random weights.

    Args:
        model: any state; only its architecture matters.
        initial: parameter name -> value.
        x: images (N, C, H, W) in [0, 1], N at least 2.
        y: given classes (N,).
        seed: of the order of images.
    """
    network = deepcopy(model).train().requires_grad_(True)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(initial[name])
    optimizer = torch.optim.Adam(
        network.parameters(), lr=LR, weight_decay=WEIGHT_DECAY, fused=True
    )
    stream = generator(seed, "diagnostics", "prior")
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(stream_seed(seed, "diagnostics", "prior"))  # of dropout
        for _ in range(EPOCHS):
            order = torch.randperm(len(x), generator=stream).to(x.device)
            for part in order.split(BATCH):
                if len(part) > 1:  # BatchNorm cannot train on one image
                    optimizer.zero_grad()
                    cross_entropy(network(x[part]), y[part]).mean().backward()
                    optimizer.step()
    return {name: p.detach() for name, p in network.named_parameters()}
