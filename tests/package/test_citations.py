"""What docstrings and documents point at is in the repository."""

import re

import pytest
from documents import PATHS, ROOT, TEXTS, anchors, docstrings, headings, links, prose

FOLDERS = ("rofit", "analyses", "figures", "tests", "docs")
# A file of ours: a path that begins with one of our folders, or any Markdown file.
_OURS = rf"(?<![\w./-])(?:(?:{'|'.join(FOLDERS)})/[\w./*-]*\w\.\w+|[\w./-]+\.md)\b"
_NOTES = re.compile(r"\bPAPER(?:\.md|,? (?:section )?\d)|(?:project's|our) notes")


def missing(text: str) -> list[str]:
    """Return the files that a docstring names and that are not there."""
    return [name for name in re.findall(_OURS, text) if not any(ROOT.glob(name))]


def unresolved(text: str) -> list[str]:
    """Return a docstring's citations of docs/ that lead to no heading."""
    cited = re.findall(r'\bdocs/[\w-]+\.md(?:, "[^"]*")?', text)
    return [citation for citation in cited if not _resolves(citation)]


def _resolves(citation: str) -> bool:
    name, _, heading = citation.partition(", ")
    return heading.strip('"') in headings(TEXTS.get(name, ""))


def broken(name: str, text: str) -> list[str]:
    """Return the relative links of the document *name* that lead nowhere."""
    return [link for link in links(text) if not _leads(name, link)]


def _leads(name: str, link: str) -> bool:
    if link.startswith(("https://", "http://")):
        return True
    path, _, anchor = link.partition("#")
    target = (ROOT / name).parent / path if path else ROOT / name
    if not target.exists():
        return False
    return not anchor or anchor in anchors(target.read_text())


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_cite_what_a_stranger_has(folder):
    faults = {
        path.relative_to(ROOT): wrong
        for path in (ROOT / folder).rglob("*.py")
        for text in docstrings(path.read_text())
        if (wrong := [*missing(text), *unresolved(text), *_NOTES.findall(text)])
    }
    assert not faults


def test_the_diagnostics_cite_their_definitions():
    """The reader of citations finds those that are there."""
    cited = {
        path.stem
        for path in (ROOT / "rofit" / "diagnostics").glob("*.py")
        for text in docstrings(path.read_text())
        if re.search(r'docs/diagnostics\.md, "[A-Z]', text)
    }
    assert len(cited) >= 10


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            'docs/method.md, "Notation of others"',
            'docs/method.md, "Notation of others"',
        ),
        ('docs/nothing.md, "Notation"', 'docs/nothing.md, "Notation"'),
        ("docs/method.md", "docs/method.md"),  # where in it?
    ],
)
def test_citation_without_file_or_heading_is_noticed(text, fault):
    assert unresolved(f"As in {text}.") == [fault]
    assert not unresolved('As in docs/method.md, "Notation".')


def test_file_that_is_not_there_is_noticed():
    text = "tests/test_spec.py holds it, as rofit/cli.py and tests/*/test_knobs.py do"
    assert missing(text) == ["tests/test_spec.py"]
    assert missing("see NOTES.md, not README.md") == ["NOTES.md"]
    assert missing("models/resnet.py of another's repository") == []


@pytest.mark.parametrize(
    "words", ["PAPER 6.1", "PAPER.md", "PAPER section 1", "project's notes"]
)
def test_notes_of_others_are_noticed(words):
    (text,) = docstrings(f'"""Source: {words}."""')
    assert _NOTES.search(text)
    assert not _NOTES.search("PAPER is what an analysis is of; Figure 1, table 2")


@pytest.mark.parametrize("name", TEXTS)
def test_every_relative_link_leads_somewhere(name):
    assert broken(name, TEXTS[name]) == []


@pytest.mark.parametrize("name", TEXTS)
def test_every_file_of_ours_that_a_document_names_is_there(name):
    named = re.findall(r"`([^`\n]+)`", prose(TEXTS[name]))
    paths = [text for text in named if text.split("/")[0] in FOLDERS and "/" in text]
    assert [p for p in paths if "<" not in p and not any(ROOT.glob(p))] == []


@pytest.mark.parametrize(
    "link", ["nothing.md", "method.md#nothing", "#nothing", "../docs/nothing.png"]
)
def test_link_that_leads_nowhere_is_noticed(link):
    there = "[a](method.md#notation) [b](#settings-of-a-run) [c](../README.md)"
    text = f"## Settings of a run\n{there} [d]({link}) `[code](x)`"
    assert broken("docs/extending.md", TEXTS["docs/extending.md"] + text) == [link]


def test_anchors_are_those_that_github_makes():
    text = "# A, b-c (d)\n## `x_y` z\n## Twice\n## Twice\n```\n# no heading\n```\n"
    assert anchors(text) == {"a-b-c-d", "x_y-z", "twice", "twice-1"}


def test_every_document_can_be_reached_from_the_readme():
    reached, new = set(), {ROOT / "README.md"}
    while new:
        path = new.pop()
        reached.add(path)
        targets = (
            path.parent / link.partition("#")[0] for link in links(path.read_text())
        )
        new |= {t.resolve() for t in targets if t.suffix == ".md"} - reached
    assert set(PATHS) <= reached
