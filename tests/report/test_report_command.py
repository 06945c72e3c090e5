"""The command: what it writes and where, and what it says of input it cannot use."""

import json
import shutil
import socket
import subprocess
import sys
import webbrowser
import zipfile
from http.server import HTTPServer
from pathlib import Path

import pytest
from command_line import is_one_sentence, rofit
from report_stores import Markup, plain_run, published_analysis

import rofit.report as room

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path):
    return plain_run(tmp_path / "runs").path.name


def _written(answer):
    assert (answer.code, answer.err) == (0, "")
    (row,) = json.loads(answer.out)["report"]
    return Path(row["file"])


def test_page_is_one_file_called_by_its_target(run, tmp_path):
    folder = published_analysis(tmp_path / "results" / "demo" / "fig1_gradnorm", "text")
    for words, name in {
        (): "store",
        (run[-8:],): run,
        ("fig1_gradnorm",): "fig1_gradnorm",
        (str(folder),): "fig1_gradnorm",
    }.items():
        path = _written(rofit(tmp_path, "report", *words, "--json"))
        assert path == tmp_path / "results" / "report" / f"{name}.html"
    both = _written(rofit(tmp_path, "report", run, "fig1_gradnorm", "--json"))
    titles = {e.get("id") for t, e in Markup(both.read_text()).elements}
    assert {f"run-{run}", "analysis-fig1_gradnorm"} <= titles


def test_list_links_to_the_pages_that_are_there(run, tmp_path):
    def links():
        path = _written(rofit(tmp_path, "report", "--json"))
        return [e["href"] for t, e in Markup(path.read_text()).elements if t == "a"]

    assert links() == []
    rofit(tmp_path, "report", run)
    assert links() == [f"{run}.html"]


def test_open_hands_the_file_to_the_browser(run, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    path = _written(rofit(tmp_path, "report", "--open", "--json"))
    assert opened == [path.as_uri()]


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("nothing", "no single run 'nothing' in"),
        ("fig4_memorization", "no results of fig4_memorization in"),
        ("../runs", "no single run '../runs' in"),
    ],
)
def test_word_that_names_nothing_is_one_sentence(word, sentence, run, tmp_path):
    is_one_sentence(rofit(tmp_path, "report", word), sentence)
    assert not (tmp_path / "results").exists()


def test_folder_without_a_manifest_to_read_is_one_sentence(tmp_path):
    (tmp_path / "manifest.json").write_text("[]")
    answer = rofit(tmp_path, "report", tmp_path)
    is_one_sentence(answer, "manifest.json is missing or damaged")


def test_wheel_has_the_templates(tmp_path):
    """Built from a copy: setuptools leaves files beside its sources."""
    source = tmp_path / "source"
    for name in ("rofit", "analyses", "figures"):
        ignored = shutil.ignore_patterns("__pycache__", "gallery", "h200", "search")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source / name)
    code = "from setuptools.build_meta import build_wheel; print(build_wheel('.'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=source, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = source.glob("*.whl")
    shipped = set(zipfile.ZipFile(wheel).namelist())
    templates = Path(str(room.__file__)).parent / "templates"
    expected = {f"rofit/report/templates/{path.name}" for path in templates.iterdir()}
    assert len(expected) >= 7 and expected <= shipped


def test_serve_says_where_and_takes_the_port_that_is_given(run, tmp_path, monkeypatch):
    served = []
    monkeypatch.setattr(HTTPServer, "serve_forever", lambda it: served.append(it))
    answer = rofit(tmp_path, "report", "--serve")
    port = served[0].server_port
    said = f"rofit: the report is at http://127.0.0.1:{port}/, until Ctrl-C\n"
    assert answer == (0, "", said)
    assert served[0].server_address[0] == "127.0.0.1"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = rofit(tmp_path, "report", "--serve", "--port", port)
    is_one_sentence(answer, f"port {port} of 127.0.0.1 cannot be had")
