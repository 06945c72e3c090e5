"""Stores that others publish are listed, and fetched only as their index says."""

import hashlib
import json
import shutil
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest
from command_line import is_one_sentence, rofit
from stored_runs import PGD, ROWS, stored

from rofit import load_logs
from rofit.errors import UserError
from rofit.interop.stores import fetch, read_index


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder, and leads /moved/ elsewhere."""

    def do_GET(self):
        """Answer."""
        if not self.path.startswith("/moved/"):
            return super().do_GET()
        self.send_response(302)
        self.send_header("Location", f"file://{self.directory}/pgd.zip")
        self.end_headers()

    def log_message(self, *words):
        """Say nothing."""


@pytest.fixture
def lab(tmp_path):
    """A folder with a store, packed, and an index of it."""
    stored(tmp_path / "runs", PGD, ROWS)
    folder = tmp_path / "lab"
    folder.mkdir()
    shutil.make_archive(str(folder / "pgd"), "zip", tmp_path / "runs")
    _index(folder)
    return folder


def _index(lab, file="pgd.zip", **changes):
    """Write the index of a packed store, some of its values changed."""
    data = (lab / file).read_bytes()
    entry = {"name": "pgd", "url": file, "size": len(data), "about": "three epochs"}
    entry |= {"sha256": hashlib.sha256(data).hexdigest()} | changes
    (lab / "index.json").write_text(json.dumps({"stores": [entry]}))
    return str(lab / "index.json")


@pytest.fixture
def url(lab):
    """The folder on the web of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=lab))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def _fetch(index, root):
    sizes = []
    (store,) = read_index(index).values()
    return fetch(store, root, sizes.append), sizes


def test_the_command_lists_an_index_and_fetches_a_store_of_it(lab, tmp_path):
    home, index = tmp_path / "home", lab / "index.json"
    digest = hashlib.sha256((lab / "pgd.zip").read_bytes()).hexdigest()
    listed = json.loads(rofit(home, "data", "logs", index, "--json").out)
    (row,) = listed[f"stores of {index}"]
    assert row == {
        "name": "pgd",
        "url": (lab / "pgd.zip").as_uri(),
        "size": (lab / "pgd.zip").stat().st_size,
        "sha256": digest,
        "about": "three epochs",
        "where": "",
    }
    answer = rofit(home, "data", "logs", index, "--fetch", "pgd")
    where = home / "data" / "logs" / f"pgd-{digest[:8]}"
    assert answer.code == 0 and str(where) in answer.out
    read, own = load_logs(where), load_logs(tmp_path / "runs")
    pd.testing.assert_frame_equal(read, own)
    (lab / "pgd.zip").unlink()  # it is not fetched again
    assert rofit(home, "data", "logs", index, "--fetch", "pgd").code == 0


def test_a_store_is_fetched_from_the_web_beside_its_index(lab, url, tmp_path):
    folder, sizes = _fetch(f"{url}/index.json", tmp_path / "logs")
    assert sizes[-1] == (lab / "pgd.zip").stat().st_size
    assert [path.name for path in (tmp_path / "logs").iterdir()] == [folder.name]
    assert len(load_logs(folder)) == len(ROWS)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"sha256": 64 * "0"}, "is not what the index says"),
        ({"size": 10}, "pgd of at most 10 bytes at"),
        ({"size": 10**6}, "is not what the index says"),
        ({"url": "nowhere.zip"}, "cannot be fetched .*ot found"),
        ({"url": "moved/pgd.zip"}, "cannot be fetched .*not allowed"),
    ],
)
def test_what_is_not_as_the_index_says_is_not_kept(
    lab, url, tmp_path, changes, sentence
):
    _index(lab, **changes)
    with pytest.raises(UserError, match=sentence):
        _fetch(f"{url}/index.json", tmp_path / "logs")
    assert list((tmp_path / "logs").iterdir()) == []


def test_an_archive_that_leads_elsewhere_is_not_unpacked(lab, tmp_path):
    with zipfile.ZipFile(lab / "bad.zip", "w") as archive:
        archive.writestr("run/spec.json", "{}")
        archive.writestr("../../out", "out")
    with pytest.raises(UserError, match="only paths inside"):
        _fetch(_index(lab, "bad.zip"), tmp_path / "logs")
    assert list((tmp_path / "logs").iterdir()) == []
    assert not list(tmp_path.rglob("out"))


def test_an_index_of_the_web_does_not_lead_to_files_of_this_machine(lab, url):
    _index(lab, url=(lab / "pgd.zip").as_uri())
    with pytest.raises(UserError, match="expected a URL of http, https here, got"):
        read_index(f"{url}/index.json")
    for place in ("ftp://127.0.0.1/index.json", "data://x"):
        with pytest.raises(UserError, match="expected a URL of http, https, file"):
            read_index(place)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "expected an index of stores"),
        ("[]", "expected an index of stores"),
        ('{"stores": 3}', "expected an index of stores"),
        ('{"stores": ["pgd"]}', "expected an index of stores"),
        ('{"stores": [{"name": "a"}]}', "expected an index of stores"),
        ('{"stores": [{"name": "../a"}]}', "must be a name that a folder can have"),
        (2 * 10**6 * " ", "an index of at most 1,000,000 bytes"),
    ],
)
def test_what_is_no_index_is_refused(lab, text, sentence):
    (lab / "index.json").write_text(text)
    with pytest.raises(UserError, match=sentence):
        read_index(str(lab / "index.json"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"size": True}, "expected a size of 1 to"),
        ({"size": 10**12}, "expected a size of 1 to"),
        ({"sha256": "../../x"}, "expected a sha256 of 64 hex digits"),
    ],
)
def test_an_entry_that_cannot_be_is_refused(lab, changes, sentence):
    with pytest.raises(UserError, match=sentence):
        read_index(_index(lab, **changes))


def test_two_stores_of_one_name_are_refused(lab):
    index = json.loads((lab / "index.json").read_text())
    (lab / "index.json").write_text(json.dumps({"stores": 2 * index["stores"]}))
    with pytest.raises(UserError, match="two stores of one name"):
        read_index(str(lab / "index.json"))


def test_words_that_make_no_sense_are_refused(lab, tmp_path):
    index = lab / "index.json"
    cases = {
        ("logs",): "Expected rofit data logs INDEX [STORE].",
        ("logs", index, "pgd", "more"): "Expected rofit data logs INDEX [STORE].",
        ("logs", index, "--fetch"): "--fetch needs the store's name: pgd",
        ("logs", index, "sgls"): "unknown store 'sgls'",
        ("digits", "mnist"): "Got unexpected extra argument (mnist)",
    }
    for words, sentence in cases.items():
        is_one_sentence(rofit(tmp_path / "home", "data", *words), sentence)
