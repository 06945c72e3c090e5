"""Networks as other code bases write them: their names, nesting and forward passes.

Written from their published parameter names, independently of rofit's networks; small
where the layout allows it. Pools are global, as 4x4 and 8x8 are on images of CIFAR.
"""

import torch
import torch.nn.functional as F
from torch import nn

BASIC = (2, 2, 2, 2)


def _conv(i, o, size=3, stride=1, padding=None):
    padding = size // 2 if padding is None else padding
    return nn.Conv2d(i, o, size, stride=stride, padding=padding, bias=False)


class PreActBlock(nn.Module):
    """Of locuslab's preactresnet.py; ``raw`` as in fast_adversarial."""

    def __init__(self, i, o, stride, raw):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(i), _conv(i, o, stride=stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(o), _conv(o, o)
        self.raw = raw
        if stride != 1 or i != o:
            self.shortcut = nn.Sequential(_conv(i, o, 1, stride))

    def forward(self, x):
        out = self.bn1(x).relu()
        path = x if self.raw else out
        skip = self.shortcut(path) if hasattr(self, "shortcut") else x
        return self.conv2(self.bn2(self.conv1(out)).relu()) + skip


class BasicBlock(nn.Module):
    """Of TRADES' resnet.py."""

    def __init__(self, i, o, stride, raw):
        super().__init__()
        self.conv1, self.bn1 = _conv(i, o, stride=stride), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = _conv(o, o), nn.BatchNorm2d(o)
        self.shortcut = nn.Sequential()
        if stride != 1 or i != o:
            self.shortcut = nn.Sequential(_conv(i, o, 1, stride), nn.BatchNorm2d(o))

    def forward(self, x):
        out = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (out + self.shortcut(x)).relu()


class PreActResNet(nn.Module):
    """PreActResNet18 with ``bn`` and ``linear``."""

    block = PreActBlock

    def __init__(self, k=10, width=8, blocks=BASIC, last_bn=True, raw=False, c=3):
        super().__init__()
        self.conv1 = _conv(c, width)
        for stage, n in enumerate(blocks):
            i = width * 2 ** max(stage - 1, 0)
            o = width * 2**stage
            layers = [self.block(i, o, 1 if stage == 0 else 2, raw)]
            layers += [self.block(o, o, 1, raw) for _ in range(n - 1)]
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.stages = len(blocks)
        if last_bn:
            self.bn = nn.BatchNorm2d(o)
        self.linear = nn.Linear(o, k)

    def stem(self, x):
        return self.conv1(x)

    def forward(self, x):
        out = self.stem(x)
        for stage in range(self.stages):
            out = getattr(self, f"layer{stage + 1}")(out)
        out = self.bn(out).relu() if hasattr(self, "bn") else out
        return self.linear(out.mean((2, 3)))


class ResNet(PreActResNet):
    """ResNet18 with ``bn1`` behind the stem; always of width 64."""

    block = BasicBlock

    def __init__(self, k=10, c=3):
        super().__init__(k, 64, BASIC, last_bn=False, c=c)
        self.bn1 = nn.BatchNorm2d(64)

    def stem(self, x):
        return self.bn1(self.conv1(x)).relu()


class WideBlock(nn.Module):
    """Of TRADES' wideresnet.py."""

    def __init__(self, i, o, stride):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(i), _conv(i, o, stride=stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(o), _conv(o, o)
        if i != o:
            self.convShortcut = _conv(i, o, 1, stride)

    def forward(self, x):
        out = self.bn1(x).relu()
        skip = self.convShortcut(out) if hasattr(self, "convShortcut") else x
        return skip + self.conv2(self.bn2(self.conv1(out)).relu())


class Group(nn.Module):
    """NetworkBlock: blocks under ``layer``."""

    def __init__(self, n, i, o, stride):
        super().__init__()
        rest = [WideBlock(o, o, 1) for _ in range(n - 1)]
        self.layer = nn.Sequential(WideBlock(i, o, stride), *rest)

    def forward(self, x):
        return self.layer(x)


class WideResNet(nn.Module):
    """TRADES' WideResNet, with the ``sub_block1`` that it never uses, or without."""

    def __init__(self, depth=10, widen=2, k=10, sub_block=False, c=3):
        super().__init__()
        n, widths = (depth - 4) // 6, [16, 16 * widen, 32 * widen, 64 * widen]
        self.conv1 = _conv(c, 16)
        self.block1 = Group(n, widths[0], widths[1], 1)
        if sub_block:
            self.sub_block1 = Group(n, widths[0], widths[1], 1)
        self.block2 = Group(n, widths[1], widths[2], 2)
        self.block3 = Group(n, widths[2], widths[3], 2)
        self.bn1, self.fc = nn.BatchNorm2d(widths[3]), nn.Linear(widths[3], k)

    def forward(self, x):
        out = self.block3(self.block2(self.block1(self.conv1(x))))
        return self.fc(self.bn1(out).relu().mean((2, 3)))


def _padded(x, stride):
    """Pad as deepmind-research's networks: SAME for images of even size."""
    return F.pad(x, (1, 1, 1, 1) if stride == 1 else (0, 1, 0, 1))


class GowalWideBlock(nn.Module):
    """_Block of Gowal et al. 2020."""

    def __init__(self, i, o, stride, act):
        super().__init__()
        self.batchnorm_0, self.batchnorm_1 = nn.BatchNorm2d(i), nn.BatchNorm2d(o)
        self.conv_0 = _conv(i, o, stride=stride, padding=0)
        self.conv_1 = _conv(o, o)
        self.stride, self.act = stride, act
        if i != o:
            self.shortcut = _conv(i, o, 1, stride)

    def forward(self, x):
        out = self.act(self.batchnorm_0(x))
        skip = self.shortcut(out) if hasattr(self, "shortcut") else x
        out = self.act(self.batchnorm_1(self.conv_0(_padded(out, self.stride))))
        return self.conv_1(out) + skip


class GowalGroup(nn.Module):
    """_BlockGroup: blocks under ``block``."""

    def __init__(self, n, i, o, stride, act):
        super().__init__()
        rest = [GowalWideBlock(o, o, 1, act) for _ in range(n - 1)]
        self.block = nn.Sequential(GowalWideBlock(i, o, stride, act), *rest)

    def forward(self, x):
        return self.block(x)


class GowalWideResNet(nn.Module):
    """DMWideResNet; its constants are no part of its state dict."""

    def __init__(self, depth=10, widen=2, k=10, act=F.silu, mean=0.0, std=1.0, c=3):
        super().__init__()
        n, widths = (depth - 4) // 6, [16, 16 * widen, 32 * widen, 64 * widen]
        self.mean, self.std, self.act = _constant(mean), _constant(std), act
        self.init_conv = _conv(c, 16)
        self.layer = nn.Sequential(
            GowalGroup(n, widths[0], widths[1], 1, act),
            GowalGroup(n, widths[1], widths[2], 2, act),
            GowalGroup(n, widths[2], widths[3], 2, act),
        )
        self.batchnorm = nn.BatchNorm2d(widths[3])
        self.logits = nn.Linear(widths[3], k)

    def forward(self, x):
        out = self.layer(self.init_conv((x - self.mean) / self.std))
        return self.logits(self.act(self.batchnorm(out)).mean((2, 3)))


class GowalPreActBlock(nn.Module):
    """_PreActBlock of Gowal et al. 2020: shortcuts are 3x3 and of x itself."""

    def __init__(self, i, o, stride, act):
        super().__init__()
        self.batchnorm_0, self.batchnorm_1 = nn.BatchNorm2d(i), nn.BatchNorm2d(o)
        self.conv_2d_1 = _conv(i, o, stride=stride, padding=0)
        self.conv_2d_2 = _conv(o, o)
        self.stride, self.act = stride, act
        if stride != 1 or i != o:
            self.shortcut = _conv(i, o, 3, stride, padding=0)

    def forward(self, x):
        out = self.act(self.batchnorm_0(x))
        skip = x
        if hasattr(self, "shortcut"):
            skip = self.shortcut(_padded(x, self.stride))
        out = self.conv_2d_1(_padded(out, self.stride))
        return self.conv_2d_2(self.act(self.batchnorm_1(out))) + skip


class GowalPreActResNet(nn.Module):
    """DMPreActResNet of 18 layers."""

    def __init__(self, k=10, act=F.silu, mean=0.0, std=1.0, width=8):
        super().__init__()
        self.mean, self.std, self.act = _constant(mean), _constant(std), act
        self.conv_2d = _conv(3, width)
        for stage in range(4):
            i, o = width * 2 ** max(stage - 1, 0), width * 2**stage
            first = GowalPreActBlock(i, o, 1 if stage == 0 else 2, act)
            both = nn.Sequential(first, GowalPreActBlock(o, o, 1, act))
            setattr(self, f"layer_{stage}", both)
        self.batchnorm, self.logits = nn.BatchNorm2d(o), nn.Linear(o, k)

    def forward(self, x):
        out = self.conv_2d((x - self.mean) / self.std)
        for stage in range(4):
            out = getattr(self, f"layer_{stage}")(out)
        return self.logits(self.act(self.batchnorm(out)).mean((2, 3)))


class Normalised(nn.Module):
    """A network behind constants, which are buffers of any name and place."""

    def __init__(self, net, mean, std, names=("mean", "std"), module="", inner=""):
        super().__init__()
        place = self
        if module:
            place = nn.Module()
            self.add_module(module, place)
        place.register_buffer(names[0], torch.tensor(mean))
        place.register_buffer(names[1], torch.tensor(std))
        self.constants = lambda: (getattr(place, n) for n in names)
        self.inner = inner
        if inner:
            self.add_module(inner, net)
        else:  # the constants are the network's own
            for name, part in net.named_children():
                self.add_module(name, part)
            self.net = [net]

    def forward(self, x):
        mean, std = (c.view(1, -1, 1, 1) for c in self.constants())
        net = getattr(self, self.inner) if self.inner else self.net[0]
        return net((x - mean) / std)


def _constant(values):
    return torch.tensor(values).view(1, -1, 1, 1)


def settled(net, seed=0):
    """Return the network in eval mode, its BatchNorms away from 0 and 1."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in net.parameters():
            bound = value[0].numel() ** -0.5 if value.ndim > 1 else 0.5
            value.uniform_(-bound, bound, generator=draw)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5, generator=draw)
                module.running_mean.uniform_(-0.5, 0.5, generator=draw)
                module.running_var.uniform_(0.5, 1.5, generator=draw)
    return net.eval()
