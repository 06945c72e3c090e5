"""Which number a column is: ``test/pgd20/accuracy``, ``train/learning_rate`` ...

The tags that rofit itself writes to TensorBoard, W&B and trackio, and the left side of
``--columns ours=theirs``.
"""

from dataclasses import dataclass

from rofit.errors import UserError, quoted

SPLITS = ("train", "val", "test")
EPOCH = "epoch"
_EXAMPLES = "test/pgd20/accuracy, test/none/accuracy, train/learning_rate or epoch"


@dataclass(frozen=True)
class Tag:
    """A split, an attack (empty where none applies) and a metric."""

    split: str
    attack: str
    metric: str

    def __str__(self) -> str:
        """Return the tag as it is written."""
        return "/".join(part for part in (self.split, self.attack, self.metric) if part)


def parse_tag(text: str) -> Tag | None:
    """Return the tag that *text* is, None if it is none.

    Examples:
        >>> parse_tag("test/pgd20/accuracy")
        Tag(split='test', attack='pgd20', metric='accuracy')
        >>> parse_tag("train/gradient_norm"), parse_tag("loss")
        (Tag(split='train', attack='', metric='gradient_norm'), None)
    """
    parts = text.strip().split("/")
    if parts[0] not in SPLITS or not all(parts) or len(parts) not in (2, 3):
        return None
    if len(parts) == 3:
        return Tag(*parts)
    without_attack = Tag(parts[0], "", parts[1])
    # An accuracy is under an attack or clean; which, its name must say.
    return None if parts[1] in ("accuracy", "loss") else without_attack


def parse_columns(pairs: tuple[str, ...]) -> dict[str, str]:
    """Return their column -> our tag, or ``epoch``, of the pairs ``ours=theirs``.

    Raises:
        UserError: no pair, no tag, or a name given twice.
    """
    columns: dict[str, str] = {}
    for pair in pairs:
        ours, equals, theirs = pair.partition("=")
        if not equals or not ours or not theirs:
            raise UserError(f"--columns expects ours=theirs, got {quoted(pair)}")
        if ours != EPOCH and parse_tag(ours) is None:
            raise UserError(
                f"--columns expects {_EXAMPLES} before the equals sign, got "
                f"{quoted(ours)}"
            )
        if theirs in columns or ours in columns.values():
            raise UserError(f"--columns names {quoted(pair)} twice: once is enough")
        columns[theirs] = ours
    return columns
