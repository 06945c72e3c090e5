"""README, docs and the docstrings, as tests read them: blocks, headings, links."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATHS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "analyses").rglob("*.md")),
]
# By path from the root. A user's commands are in README and docs; analyses/ has those
# of whoever has a GPU.
TEXTS = {str(path.relative_to(ROOT)): path.read_text() for path in PATHS}
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


def blocks(text: str, language: str = "") -> list[str]:
    """Return the fenced blocks of a language, of none by default."""
    return [body for kind, body in _FENCE.findall(text) if kind == language]


def prose(text: str) -> str:
    """Return a document without its fenced blocks."""
    return _FENCE.sub("", text)


def headings(text: str) -> list[str]:
    """Return all headings of a document, in order."""
    return re.findall(r"^#+ (.+?) *$", prose(text), re.M)


def anchors(text: str) -> set[str]:
    """Return what links may name after a #, as GitHub makes it of the headings."""
    made: list[str] = []
    for heading in headings(text):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        again = sum(
            re.fullmatch(rf"{re.escape(slug)}(-\d+)?", a) is not None for a in made
        )
        made.append(f"{slug}-{again}" if again else slug)
    return set(made)


def links(text: str) -> list[str]:
    """Return where a document's links and pictures lead."""
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose(text)))


def docstrings(source: str) -> list[str]:
    """Return the docstrings of a Python file, each on one line."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    nodes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds))
    texts = (ast.get_docstring(node) for node in nodes)
    return [" ".join(text.split()) for text in texts if text]
