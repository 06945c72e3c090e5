"""Which constants the images are normalised with: those of the file, or of its script.

A file either holds them (buffers), or its code does, or there are none. What a file
leaves open, ``--normalise`` says, or else the accuracy on the data.
"""

from dataclasses import dataclass

from torch import Tensor

from rofit.data.images import Dataset
from rofit.errors import UserError, quoted
from rofit.interop.checkpoints.families import GOWAL
from rofit.interop.checkpoints.layouts import INSIDE, OUTSIDE, Layout
from rofit.interop.checkpoints.weights import Weights
from rofit.models.normalise import normalisation

# How the name of a mean becomes that of what is divided by: buffers of one module.
_DIVISORS = (("mean", "std"), ("mean", "sigma"), ("mu", "sigma"), ("mu", "std"))
_MOST_CHANNELS = 16


@dataclass(frozen=True)
class Normaliser:
    """Constants of the first layer, in input units; none for images as they are."""

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __str__(self) -> str:
        """Return it as ``--normalise`` takes it."""
        if not self.mean:
            return INSIDE
        sides = (",".join(f"{v:.4g}" for v in side) for side in (self.mean, self.std))
        return "/".join(sides)


NONE = Normaliser()
# Of robust_overfitting (c47a25c), utils.py, train_cifar100.py and train_svhn.py.
SCRIPTS = {
    "cifar10": Normaliser((0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616)),
    "cifar100": Normaliser(
        (0.5070751592371323, 0.48654887331495095, 0.4409178433670343),
        (0.2673342858792401, 0.2564384629170883, 0.27615047132568404),
    ),
    "svhn": Normaliser((0.5,) * 3, (0.5,) * 3),
}
# Of deepmind-research's networks, in whose code they stand, as RobustBench has them.
GOWALS = SCRIPTS | {
    "cifar100": Normaliser((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762))
}


def read_flag(text: str, n_channels: int) -> Normaliser:
    """Return the constants of ``MEAN/STD``: one number each, or one a channel.

    Raises:
        UserError: they are none.
    """
    sides = text.split("/")
    try:
        mean, std = ([float(v) for v in side.split(",")] for side in sides)
    except ValueError:
        raise UserError(
            "--normalise expects inside, outside, or MEAN/STD such as 0.5/0.5 or "
            f"0.49,0.48,0.45/0.25,0.24,0.26, got {quoted(text)}"
        ) from None
    return _checked(mean, std, n_channels)


def buffers(weights: Weights) -> tuple[Normaliser | None, set[str]]:
    """Return the constants that a file holds for a network, and the keys of them.

    They stand in a module of the network, around it or beside it; not in a module that
    the network is no part of.

    Raises:
        UserError: there are several that differ.
    """
    whole = {weights.prefix + key: value for key, value in weights.tensors.items()}
    tensors = whole | weights.beside
    constants: dict[str, Normaliser] = {}
    keys: set[str] = set()
    for key in tensors:
        module, name = key.rpartition(".")[::2]
        beginning = f"{module}." if module else ""
        around = module.rpartition(".")[0]
        if around and not weights.prefix.startswith(f"{around}."):
            continue
        for mean, std in _DIVISORS:
            divisor = beginning + name.replace(mean, std)
            if divisor != key and divisor in tensors:
                pair = (_numbers(tensors[key]), _numbers(tensors[divisor]))
                constants[module] = _checked(*pair, channels(weights))
                keys |= {key, divisor}
    if "n_classes" in weights.beside:  # MAIR's, which its forward pass does not use
        constants.pop("", None)
    if len(set(constants.values())) > 1:
        raise UserError(
            f"the file holds several normalisers: {', '.join(sorted(constants))}"
        )
    return next(iter(constants.values()), None), keys


def candidates(
    flag: str, held: Normaliser | None, layout: Layout, weights: Weights, data: Dataset
) -> list[Normaliser]:
    """Return the normalisers that may be meant, the likely one first.

    Two, where neither the flag nor the file says which.

    Raises:
        UserError: the flag contradicts the file, or is none.
    """
    if held is not None:
        if flag not in ("", INSIDE):
            raise UserError(
                f"the file holds its normaliser ({held}): --normalise inside, or leave "
                f"it out, got {quoted(flag)}"
            )
        return [held]
    code = _of_script(GOWALS, data) if weights.family in GOWAL else NONE
    if flag == INSIDE:
        return [code]
    if flag == OUTSIDE:
        return [_of_script(SCRIPTS, data)]
    if flag:
        return [read_flag(flag, channels(weights))]
    both = [code, _of_script(SCRIPTS, data)]
    if layout.normalise == OUTSIDE:
        both.reverse()
    return both[:1] if layout.certain else both


def alternative(normaliser: Normaliser, data: Dataset) -> Normaliser:
    """Return what is tried where a normaliser does badly: the usual one, or none."""
    return NONE if normaliser.mean else _of_script(SCRIPTS, data)


def channels(weights: Weights) -> int:
    """Return how many channels the network's first convolution sees."""
    stem = weights.tensors[weights.family.marks[0]]
    return int(stem.shape[1]) if stem.ndim == 4 else 0


def _of_script(table: dict[str, Normaliser], data: Dataset) -> Normaliser:
    """Return the constants that training scripts have for a data set, or measured."""
    return table.get(data.name) or Normaliser(*data.statistics())


def _numbers(tensor: Tensor) -> list[float]:
    return [float(v) for v in tensor.flatten()[:_MOST_CHANNELS].tolist()]


def _checked(mean: list[float], std: list[float], n: int) -> Normaliser:
    sides = [side * n if len(side) == 1 else side for side in (mean, std)]
    normalisation(n, *sides)
    return Normaliser(*map(tuple, sides))
