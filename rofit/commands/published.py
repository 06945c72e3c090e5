"""`rofit data logs`: stores of runs that others publish, as rows for the terminal."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from rofit.commands.session import Session
from rofit.errors import UserError, look_up

if TYPE_CHECKING:
    from rofit.interop.stores import PublishedStore


def stores(
    session: Session, names: Sequence[str], fetch: bool
) -> dict[str, list[dict[str, Any]]]:
    """Return the stores that an index lists, after fetching one of them.

    Args:
        session: the flags.
        names: the index, a URL or a file, and the store if one is meant.
        fetch: download it, and unpack it under ``data/logs``.

    Raises:
        UserError: no such index or store, or one that cannot be fetched.
    """
    from rofit.interop.stores import read_index

    if not 1 <= len(names) <= 2:
        raise click.UsageError("Expected rofit data logs INDEX [STORE].")
    index, *chosen = names
    listed = read_index(index)
    if fetch and not chosen:
        raise UserError(f"--fetch needs the store's name: {', '.join(listed)}")
    rows = [look_up("store", name, listed) for name in chosen] or [*listed.values()]
    if fetch:
        _fetch(session, rows[0])
    return {f"stores of {index}": [_row(session, store) for store in rows]}


def _fetch(session: Session, store: "PublishedStore") -> None:
    from rofit.interop.stores import fetch
    from rofit.progress import Meter

    with Meter(session.console, store.name, store.size) as meter:
        fetch(
            store,
            session.places.data / "logs",
            lambda size: meter.show(store.size - size, f"{size / 1e6:,.1f} MB"),
        )


def _row(session: Session, store: "PublishedStore") -> dict[str, Any]:
    folder = store.folder(session.places.data / "logs")
    where = str(folder) if folder.is_dir() else ""
    return asdict(store) | {"where": where}
