"""Values that nobody means: for specs, for `--set`, for the command line."""

import json
import random
import string
from typing import Any

from rofit.diagnostics import DIAGNOSTICS
from rofit.methods import METHODS
from rofit.models import MODELS
from rofit.reproduction.catalog import analysis_names
from rofit.settings.knobs import knob_types
from rofit.settings.recipes import AS_RELEASED, RECIPES
from rofit.settings.scales import SCALES
from rofit.settings.spec import RunSpec

Draw = random.Random

TEXTS = (
    "",
    " ",
    "0",
    "-0",
    "-0.0",
    "0.5",
    "1",
    "8/255",
    "1/1e999999999",
    "1e999999999/1",
    "1e-999999999/3",
    "1e400",
    "nan",
    "-inf",
    "1/0",
    "1/2/3",
    "9" * 4000,
    "9" * 10**5,
    "-" + "9" * 30,
    f"{2**63}",
    "1_000",
    "0x10",
    "\u0661\u0662",
    "\u00b2",
    "true",
    "None",
    "null",
    "[1000000]",
    "[]",
    "[[1]]",
    "1," * 400,
    "1," * 10**5,
    "[" * 10**5,
    "(" * 50 + "1",
    "a\0b",
    "a\nTraceback (most recent call last):\nb",
    "\x1b[31mred",
    "\udcff",
    "\u202e",
    "\u00e9" * 300,
    "x" * 101,
    "x" * 10**6,
    "a b " * 5000,
    ".",
    "..",
    "../../outside",
    "sub/../../data/good",
    "/absolute",
    "a/b",
    "a\\b",
    "a/" * 2000,
    "~",
    "$HOME",
    "*",
    "--",
    "-",
    "%s{0}",
    "[red]markup[/red]",
    "[/]",
)
NAMES = (
    *METHODS,
    *MODELS,
    *DIAGNOSTICS,
    *RECIPES,
    AS_RELEASED,
    *SCALES,
    *analysis_names(),
    "cifar10",
    "digits",
    "wrn_16_1",
    "wrn_99999999_1",
    "wrn_10_99999999",
    "wrn_" + "9" * 5000 + "_1",
    "pgd20",
    "pgd20x5@4/255",
    "pgd" + "9" * 5000,
    "pgd1x99999999",
    "clean@1/255",
    "pgd20@1/1e999999999",
    "best",
    "last",
    "linf",
    "l2",
    "eval",
    "train",
    "bf16",
    "cpu",
    "cpu:\u00b2",
    "cuda:\u00b2",
    "cuda:" + "9" * 5000,
    "1/4",
    "\u00b2/\u00b2",
    "9" * 5000 + "/" + "9" * 5000,
)
SCALARS: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -0.0,
    1,
    -1,
    3,
    10**9,
    2**63,
    10**400,
    -(10**400),
    10**5000,
    0.1,
    1e308,
    5e-324,
    float("nan"),
    float("inf"),
    -float("inf"),
    1j,
    b"bytes",
)
FIELDS = {key: kind for key, kind in knob_types(RunSpec).items()}


def parameters(method: str) -> list[str]:
    """Return the names of a method's parameters."""
    return list(knob_types(METHODS[method].Params))


def text(draw: Draw) -> str:
    """Return a text: of the lists, changed in a place, or of random characters."""
    chosen = draw.choice(draw.choice((TEXTS, NAMES)))
    if draw.random() < 0.6:
        return chosen
    if draw.random() < 0.5:
        at = draw.randrange(len(chosen) + 1)
        return (
            chosen[:at] + draw.choice(string.printable + "\0\udcff\u00e9") + chosen[at:]
        )
    size = draw.choice((1, 2, 5, 20, 300))
    highest = draw.choice((127, 0x2FF, 0x10FFFF))
    return "".join(chr(draw.randrange(highest)) for _ in range(size))


def number(draw: Draw) -> str:
    """Return a number as somebody may write it, sensible or not."""
    plain = draw.choice(
        ("{0}", "-{0}", "{0}.5", "{0}/{1}", "{0}e{1}", "{0}e-{1}", "+{0}")
    )
    first, second = (draw.randrange(10 ** draw.choice((1, 2, 4, 12))) for _ in range(2))
    return plain.format(first, second)


def value(draw: Draw, depth: int = 0) -> Any:
    """Return what may stand in a file or a notebook for a setting."""
    kind = draw.randrange(10)
    if kind < 4 or depth > 3:
        return draw.choice(SCALARS)
    if kind < 6:
        return text(draw)
    if kind == 6:
        return draw.uniform(-2, 2) * 10 ** draw.randrange(-9, 9)
    if kind == 7:
        return draw.randrange(-3, 10 ** draw.choice((1, 3, 20)))
    size = draw.choice((0, 1, 2, 3, 3, 200))
    elements = [value(draw, depth + 1) for _ in range(size)]
    if kind == 8:
        return draw.choice((list, tuple))(elements)
    return {text(draw): element for element in elements[:5]}


def key(draw: Draw, method: str) -> str:
    """Return the name of a field or a parameter, now and then of none."""
    known = [*FIELDS, *parameters(method), "blocks", "width", "model", "drops"]
    name = draw.choice(known)
    return name if draw.random() < 0.9 else draw.choice((text(draw), name + "x"))


def spec_values(draw: Draw) -> dict[Any, Any]:
    """Return a mapping that a spec may be made of, some of its values hostile."""
    method = draw.choice((*METHODS, "pgd_at", "sgls"))
    values: dict[Any, Any] = RunSpec(method=method).as_dict()
    for _ in range(draw.choice((0, 1, 1, 2, 4))):
        values[key(draw, method)] = value(draw)
    if draw.random() < 0.4:
        names = [key(draw, method) for _ in range(draw.randrange(1, 4))]
        values["method_params"] = {name: value(draw) for name in names}
    if draw.random() < 0.02:
        values[draw.choice((3, None, ("a",)))] = 1
    return values


def spec_bytes(draw: Draw) -> bytes:
    """Return a spec.json, sound, spoilt or of another kind."""
    values = {"run_id": "x", "family_id": "x"} | spec_values(draw)
    try:
        sound = json.dumps(values, default=str)
    except (ValueError, TypeError):
        sound = json.dumps(RunSpec().as_dict())
    at = draw.randrange(len(sound))
    other = draw.choice(
        (
            sound[:at],
            sound[:at] + draw.choice('{}[],:"\\0e-') + sound[at:],
            sound[:-1] + ', "epochs": 1, "epochs": 2}',
            sound[:-1]
            + ', "run_id": [1], "family_id": '
            + json.dumps(text(draw))
            + "}",
            sound[:-1] + ', "seed": ' + "9" * draw.choice((30, 5000)) + "}",
            sound[:-1] + ', "method_params": ' + "[" * 10**5 + "}",
            sound[:-1] + ', "method_params": {"r": ' + "[" * 600 + "]" * 600 + "}}",
            "[" * draw.choice((1, 600, 10**5)),
            sound + " " * (1 << 20),
            json.dumps(draw.choice((None, 3, "x", [sound], [[]]))),
            "",
            "\ufeff" + sound,
        )
    )
    return (sound if draw.random() < 0.3 else other).encode(
        draw.choice(("utf-8", "utf-8", "utf-16")), "surrogatepass"
    )
