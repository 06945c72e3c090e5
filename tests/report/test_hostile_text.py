"""Text of others is text on every page: nothing of it becomes markup or runs."""

import pytest
from report_stores import (
    HOSTILE,
    HOSTILE_NAME,
    Markup,
    hostile_run,
    published_analysis,
)

from rofit.report import run as run_page
from rofit.report.page import Target, policy, render
from rofit.report.worst import WorstImage, WorstImages
from rofit.store.runs import RunStore

PIXEL = "data:image/png;base64,AAAA"
TAGS = (
    "html head meta title link style body header p a nav ul li main aside section h1 "
    "h3 h4 div script form label input select option output table thead tbody tr th td "
    "span i br b small dl dt dd figure figcaption svg g path text circle details "
    "summary code pre button article img"
).split()


@pytest.fixture(params=["store", "run", "analysis"])
def page(request, tmp_path, monkeypatch):
    """A page of each kind, with markup wherever a text of others can stand."""
    hostile = WorstImage(0, HOSTILE, PIXEL, PIXEL, PIXEL, HOSTILE, HOSTILE, 0.5, 1.0)
    worst = [
        WorstImages(HOSTILE, [hostile], 3, "", (HOSTILE, HOSTILE)),
        WorstImages(HOSTILE, [], 0, HOSTILE),
    ]
    monkeypatch.setattr(run_page, "worst_images", lambda run, data: worst)
    run = hostile_run(tmp_path / "runs")
    damaged = tmp_path / "runs" / HOSTILE_NAME
    damaged.mkdir()
    (damaged / "spec.json").write_text("{")
    folder = published_analysis(tmp_path / "fig1_gradnorm", HOSTILE, [HOSTILE])
    (folder / "fig1_gradnorm.md").write_text(f"| {HOSTILE} |\n|---|\n| {HOSTILE} |\n")
    names = {"run": run.path.name, "analysis": str(folder), "store": ""}
    target = Target(request.param, names[request.param])
    store = RunStore(tmp_path / "runs")
    return render([target], store, tmp_path, lambda kind, name: f"{name}.html")


def test_nothing_of_it_becomes_an_element_an_event_or_an_address(page):
    markup = Markup(page)
    tags = [tag for tag, _ in markup.elements]
    assert set(tags) <= set(TAGS)
    assert tags.count("script") == tags.count("style") == 1
    for tag, attributes in markup.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("src", "data:").startswith("data:")
        if "href" in attributes:
            assert tag in ("a", "link")
            assert "javascript:" not in attributes["href"]
    assert HOSTILE in markup.text or HOSTILE_NAME in markup.text


def test_it_is_shown_wherever_it_stands(tmp_path, monkeypatch):
    run = hostile_run(tmp_path / "runs")
    page = render(
        [Target("run", run.path.name)],
        RunStore(tmp_path / "runs"),
        tmp_path,
        lambda kind, name: "",
    )
    # an event with its note and nested note, environment, metric, evaluation, checks
    assert Markup(page).text.count(HOSTILE) > 10


def test_policy_lets_the_pages_own_script_run_and_no_other(page):
    markup = Markup(page)
    (script,) = markup.scripts
    (rules,) = [
        e["content"]
        for t, e in markup.elements
        if e.get("http-equiv") == "Content-Security-Policy"
    ]
    assert rules == policy(script, served=False)
    assert (
        "default-src 'none'" in rules
        and "unsafe-inline" not in rules.split("style-src")[0]
    )


def test_the_page_asks_the_network_for_nothing(page):
    for _, attributes in Markup(page).elements:
        for name in ("src", "href", "action", "srcset", "data"):
            value = attributes.get(name) or ""
            assert "//" not in value.partition("base64,")[0]
    assert "@import" not in page and "url(" not in page
