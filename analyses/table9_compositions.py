"""Which composition ends highest: label rules x weight rules x augmentations.

Ours, not the paper's: whether refined labels still matter beside augmentation, averages
of the weights and their adversarial perturbation. Every label rule that is nothing else
with every weight rule, under crops and flips and under IDBH (Li and Spratling 2023);
under IDBH with AWP and SWA together as well. Each part has its own defaults, the
protocol is that of the authors' first release. All thresholds are ours.
"""

from itertools import product

import pandas as pd

from rofit.measures import best_last
from rofit.measures.claims import Claim
from rofit.settings.recipes import RECIPES
from rofit.settings.spec import RunSpec

PAPER = "Table 9"
STATUS = "ours"
DIAGNOSTICS = ()
GIVEN, ALONE = "given", "none"
LABELS = (GIVEN, "label_smoothing", "adr", "sgls", "sglr")
WEIGHTS = (ALONE, "weight_ema", "swa", "awp")
AUGMENTATIONS = ("crop_flip", "idbh_weak")
STRONGEST = ("idbh_weak", "awp+swa")  # which Li and Spratling end highest with
EVALUATIONS = best_last.EVALUATIONS
LEFT_OUT = best_last.LEFT_OUT
COLUMNS = {
    "augment": "what happens to training images",
    "weights": "methods that weight rules are taken from, or none",
    "labels": "method that the label rule is taken from; given: the labels as they are",
} | {name: about for name, about in best_last.COLUMNS.items() if name != "published"}


def settings() -> list[tuple[str, str, str]]:
    """Return augmentation, weight rules and label rule of every composition."""
    pairs = [*product(AUGMENTATIONS, WEIGHTS), STRONGEST]
    return [(*pair, labels) for pair, labels in product(pairs, LABELS)]


def runs() -> list[RunSpec]:
    """Return a run a composition; with one part at most, they are Table 2's."""
    specs = []
    for augment, weights, labels in settings():
        method, *parts = _parts(weights, labels) or ["pgd_at"]
        spec = RunSpec(method=method, weights_from=tuple(parts), augment=augment)
        specs.append(RECIPES["sgls"].apply(spec))
    return specs


def table(logs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run, checkpoint and attack."""
    rows = best_last.by_checkpoint(logs, "augment")
    names = {
        "+".join(_parts(weights, labels) or ["pgd_at"]): (weights, labels)
        for _, weights, labels in settings()
    }
    rows["weights"] = rows["method"].map(lambda method: names[method][0])
    rows["labels"] = rows["method"].map(lambda method: names[method][1])
    return rows.reindex(columns=list(COLUMNS))


def claims(table: pd.DataFrame) -> list[Claim]:
    """Return what each part adds to the last accuracy, under the strongest attack.

    Averaged over what it is combined with, seed by seed; and what label rules add to
    the strongest of the other parts.
    """
    attack = best_last.strongest(table)
    points = best_last.in_points(table)
    last = table[(table["attack"] == attack) & (table["checkpoint"] == "last")]
    keys = ["augment", "weights", "labels"]
    wide = 100 * last.pivot(index="seed", columns=keys, values="accuracy")
    top = wide.xs(STRONGEST, axis=1, level=["augment", "weights"])
    square = wide.loc[:, [key[:2] != STRONGEST for key in wide]]

    def adds(field: str, one: str, other: str) -> list[float]:
        with_one, with_other = (square.xs(p, axis=1, level=field) for p in (one, other))
        return list((with_one - with_other).mean(axis=1, skipna=False))

    parts = [("labels", name, GIVEN) for name in LABELS[1:]]
    parts += [("weights", name, ALONE) for name in WEIGHTS[1:]]
    parts += [("augment", AUGMENTATIONS[1], AUGMENTATIONS[0])]
    of = f"last {attack} accuracy"
    results = [
        points(
            0,
            adds(field, one, other),
            sentence=f"{of} with {one} minus that with {field} {other}, over all that "
            "they are combined with",
        )
        for field, one, other in parts
    ]
    results += [
        points(
            0,
            list(top[name] - top[GIVEN]),
            sentence=f"{of} of {name} minus that of given labels, beside "
            + " and ".join(STRONGEST),
        )
        for name in LABELS[1:]
    ]
    return results


def _parts(weights: str, labels: str) -> list[str]:
    """Return the methods that a composition is made of, first the one it is named by.

    Examples:
        >>> _parts("awp+swa", "sgls"), _parts("swa", "given"), _parts("none", "given")
        (['sgls', 'awp', 'swa'], ['swa'], [])
    """
    rules = [] if weights == ALONE else weights.split("+")
    return rules if labels == GIVEN else [labels, *rules]
