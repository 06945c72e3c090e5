"""A training loop that is not ours: nothing of rofit but a watch, and its digits."""

import math

import torch
from torch import nn
from training_helpers import digits

EPOCHS, LR = 3, 0.05


def own_net():
    """Return a net that draws from torch's global stream as it trains."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, stride=2, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(8 * 4 * 4, 10),
        )


def images():
    """Return training, validation and test images with their classes."""
    (x, y), (x_test, y_test) = digits(), digits("test")
    train, val = (x[:320], y[:320]), (x[320:400], y[320:400])
    return {"train": train, "val": val, "test": (x_test[:100], y_test[:100])}


def loop(net, x, y, watched=None):
    """Train as anyone would; return what was worked out by hand, and how it ended."""
    optimizer = torch.optim.SGD(net.parameters(), lr=LR, momentum=0.9)
    by_hand = {"gradient_norm": [], "accuracy": [], "returned": []}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        for epoch in range(EPOCHS):
            norms, hits = [], 0
            for index in torch.randperm(len(x)).split(48):  # the last one has 32
                logits = net(x[index])
                loss = nn.functional.cross_entropy(logits, y[index])
                optimizer.zero_grad()
                loss.backward()
                if watched:
                    watched.step(logits, y[index], loss)
                squares = [p.grad.double().square().sum() for p in net.parameters()]
                norms.append(math.sqrt(sum(squares)))
                hits += (logits.argmax(dim=1) == y[index]).sum().item()
                optimizer.step()
            by_hand["gradient_norm"].append(sum(norms) / len(norms))
            by_hand["accuracy"].append(hits / len(x))
            if watched:
                by_hand["returned"].append(watched.epoch(lr=LR / (epoch + 1)))
        end = {"stream": torch.get_rng_state(), "weights": net.state_dict()}
    end["gradients"] = {name: p.grad for name, p in net.named_parameters()}
    return by_hand, end | {"modes": {n: m.training for n, m in net.named_modules()}}
