"""The pages in a real browser: filter, sort, hover, keys, phone, dark, print.

Skipped without Chromium or playwright.
"""

import re
import shutil
import threading

import pytest
from made_up_logs import course, write_run
from report_stores import HOSTILE, hostile_run, plain_run, published_analysis

from rofit.report.page import Target, render
from rofit.report.serve import server
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunStore

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
if CHROMIUM is None:
    pytest.skip("needs chromium", allow_module_level=True)

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as programs:
        started = programs.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield started
        started.close()


@pytest.fixture
def opened(browser, tmp_path):
    """A function that opens targets of a store; nothing may go wrong meanwhile."""
    wrong: list[str] = []
    contexts = []

    def open_page(root, *targets, **options):
        html = tmp_path / "page.html"
        html.write_text(
            render(targets, RunStore(root), root, lambda kind, name: f"{name}.html")
        )
        context = browser.new_context(**{"viewport": DESK} | options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        page.on(
            "request",
            lambda r: None if r.url[:5] in ("file:", "data:") else wrong.append(r.url),
        )
        page.goto(html.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture
def runs(tmp_path):
    """Three runs of two methods, two data sets and two scales."""
    root = tmp_path / "runs"
    plain_run(root)
    plain_run(root, method="trades", dataset="svhn", seed=1)
    higher = course((0.5, 0.75, 0.75), metric="loss", split="test", attack="pgd20")
    plain_run(root, higher, method="trades", seed=12, width=8, lr=0.2, batch_size=64)
    return root


def _shown(page):
    return [
        row.get_attribute("data-method")
        for row in page.locator(".runs tbody tr:visible").all()
    ]


def test_list_is_filtered_by_method_data_set_scale_and_words(runs, opened):
    page = opened(runs, Target("store"))
    assert _shown(page) == ["pgd_at", "trades", "trades"]
    page.get_by_label("method").select_option("trades")
    assert _shown(page) == ["trades", "trades"]
    page.get_by_label("data set").select_option("svhn")
    assert _shown(page) == ["trades"]
    assert page.locator(".filter output").text_content() == "1 of 3"
    page.get_by_label("data set").select_option("all")
    page.get_by_label("scale").select_option("own")
    assert page.locator(".runs tbody tr:visible td").all_text_contents()[2] == "12"
    page.get_by_label("method").select_option("all")
    page.get_by_label("scale").select_option("all")
    page.keyboard.press("Escape")
    page.locator("body").click()
    page.keyboard.press("/")
    page.keyboard.type("pgd")
    assert _shown(page) == ["pgd_at"]


def test_list_is_sorted_by_numbers_as_numbers_and_by_texts(runs, opened):
    page = opened(runs, Target("store"))

    def seeds():
        return page.locator('[data-label="seed"]').all_text_contents()

    button = page.get_by_role("button", name="seed")
    button.click()
    assert seeds() == ["12", "1", "0"]
    button.press("Enter")
    assert seeds() == ["0", "1", "12"]
    head = page.locator("th[aria-sort]")
    assert head.text_content() == "seed"
    assert head.get_attribute("aria-sort") == "ascending"
    page.get_by_role("button", name="data set").click()
    data = page.locator('[data-label="data"]').all_text_contents()
    assert data == ["cifar10", "cifar10", "svhn"]


def test_pointer_and_keys_show_the_numbers_of_an_epoch(runs, opened):
    page = opened(runs, Target("run", RunSpec(epochs=3).run_id))
    chart = page.locator(".chart svg").first
    box = chart.bounding_box()
    chart.hover(position={"x": box["width"] * 197 / 360, "y": box["height"] / 2})
    tip = page.locator("#tip")
    assert tip.locator("b").text_content() == "epoch 2"
    assert sorted(tip.locator("td").all_text_contents()) == ["43.75", "50", "50"]
    chart.focus()
    page.keyboard.press("ArrowRight")
    assert tip.locator("b").text_content() == "epoch 3"
    assert "28.12" in tip.locator("td").all_text_contents()
    page.keyboard.press("Escape")
    assert tip.is_hidden()


def test_pointer_shows_the_nearest_number_of_a_series_that_has_none_there(
    tmp_path, opened
):
    about = {"metric": "loss", "attack": "pgd10", "measured": "step"}
    more = [*course((3.0, 2.0, 1.0), **about, split="train")]
    more += [{"epoch": 3, "value": 4.0, "split": "test"} | about]
    run = plain_run(tmp_path / "runs", more)
    page = opened(tmp_path / "runs", Target("run", run.path.name))
    chart = page.locator('.chart svg[aria-label^="robust loss"]')
    chart.focus()
    page.keyboard.press("Home")
    assert page.locator("#tip td").all_text_contents() == ["3", "4 at 3"]


def test_best_and_last_are_marked(runs, opened):
    page = opened(runs, Target("run", RunSpec(epochs=3).run_id))
    assert page.locator(".mark text").all_text_contents() == ["best 43.8", "last 28.1"]


def test_numbers_open_without_javascript(runs, opened):
    page = opened(
        runs, Target("run", RunSpec(epochs=3).run_id), java_script_enabled=False
    )
    page.locator(".chart summary").first.click()
    cells = page.locator(".chart").first.locator("td:visible").all_text_contents()
    assert {"43.75", "28.12", "50"} <= set(cells)
    assert page.locator(".copy").is_hidden()


@pytest.mark.parametrize("kind", ["store", "run", "analysis"])
def test_hostile_text_runs_nowhere_and_is_read(kind, tmp_path, opened):
    run = hostile_run(tmp_path / "runs")
    folder = published_analysis(tmp_path / "fig1_gradnorm", HOSTILE, [HOSTILE])
    names = {"run": run.path.name, "analysis": str(folder), "store": ""}
    page = opened(tmp_path / "runs", Target(kind, names[kind]))
    assert page.evaluate("document.querySelectorAll('[onerror]').length") == 0
    for summary in page.locator("summary").all():
        summary.click()
    for chart in page.locator(".chart svg").all():
        chart.hover()
    assert "onerror=boom()" in page.locator("main").inner_text()


@pytest.mark.parametrize("kind", ["store", "run", "analysis"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_a_phone_and_both_colour_schemes(
    kind, scheme, runs, tmp_path, opened
):
    folder = published_analysis(tmp_path / "fig1_gradnorm", "a text " * 30)
    run = RunSpec(epochs=3).run_id
    names = {"run": run, "analysis": str(folder), "store": ""}
    page = opened(runs, Target(kind, names[kind]), viewport=PHONE, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    colours = page.evaluate(
        "(({color, backgroundColor}) => [color, backgroundColor])"
        "(getComputedStyle(document.body))"
    )
    ink, ground = (sum(map(int, re.findall(r"\d+", c)[:3])) for c in colours)
    assert abs(ink - ground) > 450
    assert (ink < ground) == (scheme == "light")
    assert len(page.screenshot()) > 5000


def test_print_leaves_out_what_only_a_screen_needs(runs, opened):
    page = opened(runs, Target("store"))
    assert page.locator(".filter").is_visible()
    page.emulate_media(media="print")
    assert page.locator(".filter").is_hidden()
    assert page.pdf()[:4] == b"%PDF"


def test_served_page_follows_a_run_that_trains(runs, browser):
    run = RunStore(runs).runs()[0]
    with server([Target("store")], RunStore(runs), runs, 0) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        page = browser.new_page()
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(message.text))
        page.goto(f"http://127.0.0.1:{serving.server_port}/")
        row = {"metric": "accuracy", "measured": "epoch_end", "split": "test"}
        run.append([row | {"epoch": 4, "attack": "pgd20", "n": 64, "value": 0.5}])
        page.get_by_text("4/3").wait_for(timeout=20_000)
        page.close()
        serving.shutdown()
        thread.join()
    assert wrong == []


def test_two_hundred_runs_of_two_hundred_epochs_take_less_than_ten_megabytes(
    tmp_path, opened
):
    """By the share of four of them."""
    about = {"metric": "accuracy", "measured": "epoch_end", "n": 64}
    values = [0.3 + 0.001 * (epoch % 97) for epoch in range(200)]
    courses = [
        course(values, **about, split=split, attack=attack)
        for split, attack in (("test", "pgd20"), ("val", "pgd20"), ("train", "pgd10"))
    ]
    rows = [row for epoch in zip(*courses, strict=True) for row in epoch]
    for seed in range(4):
        write_run(tmp_path / "runs", RunSpec(seed=seed), rows)
    page = opened(tmp_path / "runs", Target("store"))
    curves = page.locator(".spark .test").all()
    assert [c.get_attribute("d").count("L") for c in curves] == 4 * [199]
    assert (tmp_path / "page.html").stat().st_size / 4 < 10e6 / 200
