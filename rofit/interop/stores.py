"""Stores of runs that others publish: an index lists them, with a digest of each.

An index is a small JSON file, at a URL or a path:

    {"stores": [{"name": "pgd-at", "url": "pgd-at.zip", "size": 812345,
                 "sha256": "9f86...", "about": "PGD-AT, CIFAR-10, three seeds"}]}

``url`` may be relative to the index; ``size`` is in bytes. What is fetched is read once
it has that size and digest, and unpacked as `rofit.store.archive` does.
"""

import hashlib
import http.client
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urljoin, urlsplit
from urllib.request import urlopen

from rofit.data.limits import LARGEST_SOURCE
from rofit.errors import UserError, quoted
from rofit.names import check_name
from rofit.store.archive import unpack
from rofit.writing import unwritable, writing

_LARGEST_INDEX = 1_000_000  # bytes
_AT_ONCE = 1 << 20
_TIMEOUT_S = 30.0
_WEB = ("http", "https")
_FAILURES = (OSError, http.client.HTTPException, ValueError)


@dataclass(frozen=True)
class PublishedStore:
    """An entry of an index.

    Attributes:
        name: of the store.
        url: of a zip or tar of it, absolute.
        size: bytes of that file.
        sha256: its digest, 64 hex digits.
        about: what is in it, in words.
    """

    name: str
    url: str
    size: int
    sha256: str
    about: str

    def folder(self, root: Path) -> Path:
        """Return where it is unpacked under *root*: another digest, another folder."""
        return root / f"{self.name}-{self.sha256[:8]}"


def read_index(place: str) -> dict[str, PublishedStore]:
    """Return name -> store of the index at a URL or path, in its order.

    Raises:
        UserError: it cannot be fetched, or is no such index.
    """
    url = place if "://" in place else Path(place).absolute().as_uri()
    data = b"".join(_blocks(url, _LARGEST_INDEX, "an index"))
    try:
        entries = json.loads(data)["stores"]
        stores = [_entry(entry, url) for entry in entries]
    except UserError:
        raise
    except (ValueError, LookupError, TypeError, RecursionError):
        raise UserError(
            f'expected an index of stores at {quoted(place)}, {{"stores": [{{"name", '
            '"url", "size", "sha256", "about"}]}, got something else'
        ) from None
    by_name = {store.name: store for store in stores}
    if len(by_name) < len(stores):
        raise UserError(f"the index {quoted(place)} has two stores of one name")
    return by_name


def fetch(store: PublishedStore, root: Path, report: Callable[[int], None]) -> Path:
    """Download a store and unpack it under *root*, unless it is there; return where.

    Args:
        store: an entry of `read_index`.
        root: folder of fetched stores.
        report: called with the number of bytes so far.

    Raises:
        UserError: it cannot be fetched, is not what the index says, or no store.
        NotWritten: the disk does not take it.
    """
    target = store.folder(root)
    if target.is_dir():
        return target
    try:
        root.mkdir(parents=True, exist_ok=True)
        temporary = TemporaryDirectory(dir=root, prefix=".fetch-")
    except OSError as error:
        raise unwritable(f"the folder {root}", error, "ROFIT_HOME") from None
    with temporary as folder:
        packed = Path(folder, store.name)
        _download(store, packed, report)
        unpack(packed, Path(folder, "runs"))
        with writing(target):
            Path(folder, "runs").rename(target)
    return target


def _entry(entry: dict[str, Any], index: str) -> PublishedStore:
    """Return a checked entry of the index at the URL *index*."""
    check_name("a store's name", entry["name"])
    size, digest = entry["size"], entry["sha256"]
    if type(size) is not int or not 0 < size <= LARGEST_SOURCE:
        raise UserError(
            f"{entry['name']}: expected a size of 1 to {LARGEST_SOURCE:,} bytes, got "
            f"{quoted(size)}"
        )
    if not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
        raise UserError(
            f"{entry['name']}: expected a sha256 of 64 hex digits, got {quoted(digest)}"
        )
    url = urljoin(index, str(entry["url"]))
    _check_scheme(url, _WEB if urlsplit(index).scheme in _WEB else (*_WEB, "file"))
    about = str(entry.get("about", ""))
    return PublishedStore(entry["name"], url, size, digest, about)


def _check_scheme(url: str, allowed: tuple[str, ...]) -> None:
    if urlsplit(url).scheme not in allowed:
        raise UserError(
            f"expected a URL of {', '.join(allowed)} here, got {quoted(url)}"
        )


def _download(store: PublishedStore, file: Path, report: Callable[[int], None]) -> None:
    """Write what is at the store's URL, if its size and digest are right."""
    digest, size = hashlib.sha256(), 0
    with writing(file), file.open("wb") as out:
        for block in _blocks(store.url, store.size, store.name):
            out.write(block)
            digest.update(block)
            size += len(block)
            report(size)
    if size != store.size or digest.hexdigest() != store.sha256:
        raise UserError(
            f"{store.url} is not what the index says: {size:,} bytes of sha256 "
            f"{digest.hexdigest()}, not {store.size:,} of {store.sha256}"
        )


def _blocks(url: str, largest: int, what: str) -> Iterator[bytes]:
    """Yield the bytes at a URL.

    Raises:
        UserError: they cannot be had, or are more than *largest*.
    """
    _check_scheme(url, (*_WEB, "file"))
    size = 0
    try:
        with urlopen(url, timeout=_TIMEOUT_S) as response:
            _check_scheme(response.url, (*_WEB, "file"))  # after redirections
            while block := response.read(_AT_ONCE):
                if (size := size + len(block)) > largest:
                    raise UserError(
                        f"expected {what} of at most {largest:,} bytes at "
                        f"{quoted(url)}, got more"
                    )
                yield block
    except UserError:
        raise
    except _FAILURES as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(f"{quoted(url)} cannot be fetched ({reason})") from None
