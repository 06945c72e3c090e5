"""The documentation as a site: what stands beside docs/ joins it, and a reference.

A hook of MkDocs (`make site`). Pages link to files of the repository, which reads well
there; in the site README is the first page, and pictures, claims and logs' notes that a
page links to come along. The reference is made of docstrings, a page a room.
"""

import os.path
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(\]\()(?!https?:|#)([^)#\s]+)")  # of a page to a file
ROOM = """# {room}

::: {room}
    options:
      show_submodules: {inside}
"""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the rooms to the navigation."""
    assert config.nav is not None
    config.nav.append({"Reference": [_reference(room) for room in rooms()]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what pages link to outside of docs/, and the reference's pages."""
    for path in joined():
        source = str(ROOT / path)
        files.append(File.generated(config, in_site(path), abs_src_path=source))
    for room in rooms():
        page = ROOM.format(room=room, inside="false" if room == "rofit" else "true")
        files.append(File.generated(config, _reference(room), content=page))
    return files


def on_page_markdown(
    markdown: str, page: Page, config: MkDocsConfig, files: Files
) -> str:
    """Return a page whose links lead to where their files are in the site."""
    if page.file.src_uri.startswith("reference/"):
        return markdown
    return relinked(markdown, in_repository(page.file.src_uri))


def relinked(markdown: str, path: str) -> str:
    """Return the text of the file at *path* in the repository, for the site.

    Raises:
        PluginError: a link to what is not there.
    """
    here = os.path.dirname(in_site(path))

    def moved(match: re.Match[str]) -> str:
        target = _resolved(path, match[2])
        if not (ROOT / target).is_file():
            raise PluginError(f"{path} links to {match[2]}, which is no file")
        return match[1] + os.path.relpath(in_site(target), here or ".")

    return LINK.sub(moved, markdown)


def joined() -> list[str]:
    """Return the files outside of docs/ that pages link to, and those these link to."""
    pages = [
        "README.md",
        *(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")),
    ]
    known = set(pages)
    for path in pages:  # grows on the way
        for target in _targets(path):
            if target not in known:
                known.add(target)
                pages.append(target)
    return sorted(path for path in known if not path.startswith("docs/"))


def rooms() -> list[str]:
    """Return the packages by the names that they stand under in the repository."""
    inside = (folder.parent.name for folder in ROOT.glob("rofit/*/__init__.py"))
    return ["rofit", *sorted(f"rofit.{name}" for name in inside), "analyses", "figures"]


def in_site(path: str) -> str:
    """Return where a file of the repository is in the site."""
    return "index.md" if path == "README.md" else path.removeprefix("docs/")


def in_repository(uri: str) -> str:
    """Return where a file of the site is in the repository."""
    if uri == "index.md":
        return "README.md"
    return f"docs/{uri}" if (ROOT / "docs" / uri).is_file() else uri


def _targets(path: str) -> Iterator[str]:
    if path.endswith(".md"):
        for link in LINK.finditer((ROOT / path).read_text("utf-8")):
            yield _resolved(path, link[2])


def _resolved(path: str, link: str) -> str:
    return os.path.normpath(os.path.join(os.path.dirname(path), link))


def _reference(room: str) -> str:
    return f"reference/{room}.md"
