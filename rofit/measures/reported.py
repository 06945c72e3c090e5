"""Numbers that others have published, to stand beside a measurement with their source.

``analyses/reported.csv`` is the one list; nothing in it was measured by rofit. Code
bases differ in a dozen things: compare signs and sizes, not third digits.
"""

from functools import cache
from importlib import resources

import pandas as pd

from rofit.settings.spec import RunSpec
from rofit.settings.threat import ThreatModel

_MODELS = {"preact_resnet18": "preactresnet18", "resnet18": "resnet18"}
_WIDE = ("wrn34_10", "wrn34_20")
_EPOCHS = 200
_CHECKPOINT_WORDS = {"final": "last", "not_stated": "checkpoint not stated"}
_KINDS = ("authors", "authors_log", "digitised", "second_hand")  # most direct first


@cache
def reported() -> pd.DataFrame:
    """Return the whole list, a row a checkpoint of a published run and attack.

    Accuracies are per cent; ``source``, ``source_url`` and ``kind`` say whose they are
    (authors, authors_log, digitised, second_hand).
    """
    path = resources.files("rofit.analyses") / "reported.csv"
    with path.open() as file:
        return pd.read_csv(file)


def references(spec: RunSpec, checkpoint: str, attack: str, threat: ThreatModel) -> str:
    """Return published accuracies for such a checkpoint, each with source and kind.

    Empty unless the run is of the published size (all images, 200 epochs, no noise, the
    network's own width) and was trained inside the threat of the evaluation.

    Args:
        spec: of the run.
        checkpoint: ``best`` or ``last``.
        attack: as an evaluation calls it; ``none`` for clean images.
        threat: of the evaluation; ignored for clean images.
    """
    reduced = spec.train_size or spec.test_size or spec.width or spec.blocks
    full_size = not (reduced or spec.label_noise) and spec.epochs == _EPOCHS
    same_threat = attack == "none" or threat == spec.threat
    if not (full_size and same_threat) or spec.model not in _MODELS:
        return ""
    rows = reported()
    rows = rows[
        (rows["method"] == spec.method)
        & (rows["dataset"] == spec.dataset)
        & (rows["model"] == _MODELS[spec.model])
        & (rows["norm"] == spec.norm)
        & (rows["checkpoint"] == {"last": "final"}.get(checkpoint, checkpoint))
        & (rows["epochs"] == _EPOCHS)
    ]
    column = {"none": "clean_acc", "autoattack": "autoattack_acc"}.get(attack)
    if column is None:
        column, rows = "robust_acc", rows[rows["robust_attack"] == attack]
    rows = rows[rows["epsilon"].map(lambda text: _close(text, spec.epsilon)).eq(True)]
    rows = rows[rows[column].notna()]
    return "; ".join(
        f"{value:g} ({source}, {kind})"
        for value, source, kind in zip(
            rows[column], rows["source"], rows["kind"], strict=True
        )
    )


@cache
def published(method: str, dataset: str, norm: str, model: str) -> str:
    """Return published accuracies of a method at full size in a phrase; empty if none.

    Best and last under AutoAttack where anyone has it, else under PGD-20, per cent:
    ``AutoAttack best 49.88, last 49.52 (pytorch_robust_awp, second_hand, resnet18)``.
    Of wide networks beside a wide one, of ResNet-18 and PreAct ResNet-18 beside others.
    At most two sources, authors before others. Copies of a data set (``cifar10-jpeg``)
    stand for it.
    """
    rows = reported()
    copies = [name for name in set(rows["dataset"]) if dataset.startswith(f"{name}-")]
    rows = rows[
        (rows["method"] == method)
        & rows["dataset"].isin([dataset, *copies])
        & (rows["norm"] == norm)
        & (rows["model"].str.startswith("wrn") == model.startswith("wrn"))
        & rows["model"].isin([*_MODELS.values(), *_WIDE])
    ]
    under_pgd = rows[rows["robust_attack"] == "pgd20"]
    for attack, column, candidates in (
        ("AutoAttack", "autoattack_acc", rows),
        ("PGD-20", "robust_acc", under_pgd),
    ):
        phrases = _phrases(candidates[candidates[column].notna()], column)
        if phrases:
            return f"{attack} " + "; ".join(phrases[:2])
    return ""


def _phrases(rows: pd.DataFrame, column: str) -> list[str]:
    """Return a phrase a source, authors before others."""
    phrases = []
    for (source, kind, model), group in rows.groupby(
        ["source", "kind", "model"], sort=False
    ):
        values = ", ".join(
            f"{_CHECKPOINT_WORDS.get(checkpoint, checkpoint)} {value:g}"
            for checkpoint, value in zip(
                group["checkpoint"], group[column], strict=True
            )
        )
        phrases.append((_KINDS.index(kind), f"{values} ({source}, {kind}, {model})"))
    return [phrase for _, phrase in sorted(phrases, key=lambda ranked: ranked[0])]


def _close(text: object, epsilon: float) -> bool:
    numerator, _, denominator = str(text).partition("/")
    return abs(float(numerator) / float(denominator or 1) - epsilon) < 1e-6
