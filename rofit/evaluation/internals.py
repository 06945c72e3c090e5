"""What rofit relies on inside of pyautoattack, which promises none of it.

rofit gives each image a stream of its own and stops at an image's verdict: for that it
calls single runs of the library's attacks, sets their attributes, and replaces three of
their methods. A release that renames one of them is refused by name, before any image.
"""

from inspect import signature
from typing import Any

from torch import nn

from rofit.errors import UserError

TESTED = ">=0.2,<0.3"  # as in pyproject.toml, where pip reads it
# The arguments by which each is called; one that ends in = by its name.
_MAKE = ("model", "norm=", "eps=", "version=")
_APGD = {
    "init_hyperparam": ("x",),
    "normalize": ("x",),
    "attack_single_run": ("x", "y", "x_init="),
}
_CALLS: dict[str, dict[str, tuple[str, ...]]] = {
    "apgd": _APGD,
    "apgd_targeted": _APGD,
    "fab": {
        "_get_predicted_label": ("x",),  # replaced
        "attack_single_run": ("x", "y", "is_targeted="),
    },
    "square": {
        "init_hyperparam": ("x",),
        "random_choice": ("shape",),  # replaced
        "margin_and_loss": ("x", "y"),  # replaced
        "attack_single_run": ("x", "y"),
    },
}
_ATTRIBUTES = {
    "apgd": ("loss", "device", "eps", "logger"),
    "apgd_targeted": ("y_target", "device", "eps", "logger"),
    "fab": ("target_class", "device"),
    "square": ("predict", "n_queries", "device"),
}


def make_kit(network: nn.Module, norm: str, epsilon: float, *, kind: str) -> Any:
    """Return the library's four attacks on *network*, as its version "standard".

    Args:
        network: in eval mode.
        norm: as the library calls it.
        epsilon: radius in input units.
        kind: the requested attack, for an error.

    Raises:
        UserError: no pyautoattack, or one that lacks what rofit relies on.
    """
    try:
        import pyautoattack
    except ModuleNotFoundError:
        raise UserError(
            f"{kind} needs the package pyautoattack: pip install pyautoattack"
        ) from None
    make = getattr(pyautoattack, "AutoAttack", None)
    lacking = [] if _is_called(make, _MAKE) else [_shown("AutoAttack", _MAKE)]
    if not lacking:
        kit = pyautoattack.AutoAttack(
            network, norm=norm, eps=epsilon, version="standard"
        )
        lacking = lacks(kit)
    if lacking:
        version = getattr(pyautoattack, "__version__", "that is installed")
        raise UserError(
            f"{kind} needs pyautoattack {TESTED}: version {version} has no "
            f"{', '.join(lacking)} that rofit relies on; pip install "
            f"'pyautoattack{TESTED}'"
        )
    return kit


def lacks(kit: Any) -> list[str]:
    """Return what the library's AutoAttack object has not of what rofit relies on."""
    return [
        f"{name}.{attribute}"
        for name, attributes in _ATTRIBUTES.items()
        for attribute in attributes
        if not hasattr(getattr(kit, name, None), attribute)
    ] + [
        f"{name}.{_shown(method, arguments)}"
        for name, calls in _CALLS.items()
        for method, arguments in calls.items()
        if not _is_called(getattr(getattr(kit, name, None), method, None), arguments)
    ]


def _is_called(function: Any, arguments: tuple[str, ...]) -> bool:
    """Return whether there is such a function, and it takes these arguments alone."""
    if not callable(function):
        return False
    named = [argument for argument in arguments if argument.endswith("=")]
    places = [None] * (len(arguments) - len(named))
    try:
        signature(function).bind(*places, **{argument[:-1]: None for argument in named})
    except TypeError:
        return False
    return True


def _shown(name: str, arguments: tuple[str, ...]) -> str:
    return f"{name}({', '.join(arguments)})"
