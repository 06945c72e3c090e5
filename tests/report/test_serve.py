"""The server answers this machine alone, and what it shows is what the store has."""

import http.client
import threading
from contextlib import contextmanager

import pytest
from made_up_logs import course
from report_stores import Markup, plain_run

from rofit.errors import UserError
from rofit.report.page import Target
from rofit.report.serve import HOST, server
from rofit.store.runs import RunStore


@contextmanager
def _serving(root):
    with server([Target("store")], RunStore(root), root, 0) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield serving.server_port
        finally:
            serving.shutdown()
            thread.join()


def _ask(port, path, host=None, method="GET"):
    """Return status, headers and text of an answer."""
    connection = http.client.HTTPConnection(HOST, port)
    headers = {} if host is None else {"Host": host}
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, dict(response.headers), text


@pytest.fixture
def run(tmp_path):
    return plain_run(tmp_path / "runs", epochs=5)


def test_list_and_run_are_served_and_link_to_each_other(run, tmp_path):
    with _serving(tmp_path / "runs") as port:
        status, headers, text = _ask(port, "/")
        assert status == 200 and headers["Cache-Control"] == "no-store"
        links = [e["href"] for t, e in Markup(text).elements if t == "a"]
        assert f"/run/{run.path.name}" in links
        status, _, text = _ask(port, f"/run/{run.path.name}")
        assert status == 200 and "15.6 points" in Markup(text).words
        assert "/" in [e["href"] for t, e in Markup(text).elements if t == "a"]


def test_page_and_version_follow_a_run_that_trains(run, tmp_path):
    with _serving(tmp_path / "runs") as port:
        before = _ask(port, "/version")[2]
        assert _ask(port, "/version")[2] == before
        assert f'data-version="{before}"' in _ask(port, "/")[2]
        about = {"metric": "accuracy", "measured": "epoch_end", "split": "test"}
        row = course([0.5], **about, attack="pgd20", n=64)[0] | {"epoch": 4}
        run.append([row])
        assert _ask(port, "/version")[2] != before
        assert "4/5" in Markup(_ask(port, "/")[2]).words


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", ""])
def test_request_that_names_another_host_is_refused(host, run, tmp_path):
    with _serving(tmp_path / "runs") as port:
        status, _, text = _ask(port, "/", host)
        assert status == 403 and run.path.name not in text
        assert _ask(port, "/version", host)[0] == 403
        assert _ask(port, "/", f"localhost:{port}")[0] == 200


@pytest.mark.parametrize(
    "path",
    ["/spec.json", "/run/", "/run/nothing", "/run/..%2F..%2Fetc", "/../runs", "/runs"],
)
def test_nothing_but_the_report_is_served(path, run, tmp_path):
    with _serving(tmp_path / "runs") as port:
        assert _ask(port, path)[0] == 404
        assert _ask(port, "/", method="POST")[0] == 501


def test_head_has_no_body(run, tmp_path):
    with _serving(tmp_path / "runs") as port:
        status, headers, text = _ask(port, "/", method="HEAD")
        assert (status, text) == (200, "") and int(headers["Content-Length"]) > 1000


def test_port_that_is_taken_is_one_sentence(tmp_path):
    with _serving(tmp_path) as port:
        with pytest.raises(UserError, match=f"port {port} of 127.0.0.1 cannot be had"):
            server([Target("store")], RunStore(tmp_path), tmp_path, port)
