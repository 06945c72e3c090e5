"""The report of a store that goes on changing, served to this machine alone.

On 127.0.0.1, and only to requests that name it: a page of another site whose name
resolves to this address (DNS rebinding) is refused.
"""

import hashlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from rofit.errors import UserError
from rofit.report.page import Target, render
from rofit.store.runs import RunStore

HOST = "127.0.0.1"
_WATCHED = ("spec.json", "epochs.jsonl", "events.jsonl", "done.json", "evaluations")


def server(targets: list[Target], store: RunStore, data: Path, port: int) -> HTTPServer:
    """Return a server of the targets' page, and of each run's; not yet running.

    The page is made anew at every request; ``/version`` says whether it would be
    another.

    Args:
        targets: what ``/`` shows.
        store: of the runs.
        data: folder of the data sets.
        port: to listen on; 0 for a free one.

    Raises:
        UserError: the port cannot be had.
    """

    def answer(path: str) -> str:
        if path == "/version":
            return version(store)
        if path == "/":
            shown = targets
        elif path.startswith("/run/"):
            shown = [Target("run", unquote(path.removeprefix("/run/")))]
        else:
            raise UserError("there is no such page")
        return render(shown, store, data, address, home="/", version=version(store))

    try:
        return HTTPServer((HOST, port), _handler(answer))
    except OSError as error:
        raise UserError(
            f"port {port} of {HOST} cannot be had ({error.strerror}); --port 0 takes a "
            "free one"
        ) from None


def address(kind: str, name: str) -> str:
    """Return the address of a run's page on the server; empty for others."""
    return f"/run/{quote(name, safe='')}" if kind == "run" else ""


def version(store: RunStore) -> str:
    """Return a word that is another as soon as a run in the store has gone on."""
    sha = hashlib.sha256()
    for run in store.runs():
        for name in _WATCHED:
            path = run.path / name
            if path.exists():
                status = path.stat()
                sha.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return sha.hexdigest()[:16]


def _handler(answer: Callable[[str], str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers GET and HEAD of this machine."""

        def do_GET(self) -> None:  # noqa: N802  the library's name
            self._answer()

        def do_HEAD(self) -> None:  # noqa: N802
            self._answer(body=False)

        def _answer(self, *, body: bool = True) -> None:
            code, text = self._page()
            data = text.encode(errors="replace")
            html = code == 200 and text.startswith("<!doctype")
            self.send_response(code)
            kind = "text/html" if html else "text/plain"
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("X-Frame-Options", "DENY")
            self.end_headers()
            if body:
                self.wfile.write(data)

        def _page(self) -> tuple[int, str]:
            assert isinstance(self.server, HTTPServer)
            port = self.server.server_port
            if self.headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}"):
                return 403, f"this is the report of {HOST}:{port} alone\n"
            try:
                return 200, answer(urlsplit(self.path).path)
            except UserError as error:
                return 404, f"{error}\n"
            except Exception as error:  # of files that are being written; asked again
                return 500, f"{type(error).__name__}: {error}\n"

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing: the terminal says where the report is."""

    return Handler
