"""The documentation as a site: links that lead out of docs/ lead to a page there.

That it is built without a warning, `make site` says, which .ci/run calls.
"""

from pathlib import Path

import pytest
import site_hook as site
from mkdocs.exceptions import PluginError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("path", "link", "moved"),
    [
        ("README.md", "docs/speed.md", "speed.md"),
        ("README.md", "docs/method.md#theorem-1", "method.md#theorem-1"),
        ("docs/results.md", "../README.md", "index.md"),
        ("docs/results.md", "method.md#verdicts", "method.md#verdicts"),
        ("docs/results.md", "../analyses/logs/README.md", "analyses/logs/README.md"),
        ("analyses/logs/README.md", "../../docs/results.md", "../../results.md"),
        ("README.md", "#commands", "#commands"),
        ("README.md", "https://arxiv.org", "https://arxiv.org"),
    ],
)
def test_link_leads_where_the_file_is_in_the_site(path, link, moved):
    assert site.relinked(f"see [a]({link}).", path) == f"see [a]({moved})."


def test_link_to_nothing_stops_the_site():
    with pytest.raises(PluginError, match=r"README.md links to docs/no.md, which is"):
        site.relinked("[a](docs/no.md)", "README.md")


def test_pictures_and_what_they_are_linked_from_join_the_site():
    joined = site.joined()
    assert {"README.md", "analyses/logs/README.md"} <= set(joined)
    assert any(path.endswith(".png") for path in joined)
    assert all((ROOT / path).is_file() for path in joined)


def test_every_page_of_docs_is_in_the_navigation():
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    navigation = text[text.index("\nnav:") :]
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name in navigation
