"""`rofit report`: a store, runs or published analyses as a page for the browser."""

import hashlib
import webbrowser
from pathlib import Path

import click

from rofit.commands.answers import answer
from rofit.commands.completion import complete_runs
from rofit.commands.flags import with_flags
from rofit.commands.session import Session, notify
from rofit.report.page import Target, render
from rofit.report.serve import HOST, server
from rofit.report.targets import find_target
from rofit.reproduction.publish import make_folder
from rofit.store.files import write_text


@click.command()
@click.argument(
    "texts", metavar="[RUN|ANALYSIS]...", nargs=-1, shell_complete=complete_runs
)
@click.option("--open", "opens", is_flag=True, help="Open it in the browser.")
@click.option(
    "--serve", "serves", is_flag=True, help="Serve it, to this machine alone."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Of --serve; 0 takes a free one [0].",
)
@with_flags("scale", "store", "out", "as_json", "debug")
def report(
    session: Session, texts: tuple[str, ...], opens: bool, serves: bool, port: int
) -> None:
    """Write a page for the browser: a store, or runs and analyses.

    RUN is a run's id, or how it begins or ends; ANALYSIS a name, or the folder of its
    results. Without any the page lists the runs of the store.
    """
    store, places = session.store, session.places
    targets = [
        find_target(text, store, places.results, session.flags.scale) for text in texts
    ] or [Target("store")]
    if serves:
        return _serve(session, targets, port, opens)
    folder = places.results / "report"
    path = folder / f"{_name(targets)}.html"

    def link(kind: str, name: str) -> str:
        return f"{name}.html" if (folder / f"{name}.html").exists() else ""

    page = render(targets, store, places.data, link)
    make_folder(folder)
    write_text(path, page)
    size = f"{len(page.encode()) / 1e6:.2f}"
    answer({"report": [{"file": str(path), "MB": size}]}, session.flags.as_json)
    if opens:
        webbrowser.open(path.resolve().as_uri())


def _serve(session: Session, targets: list[Target], port: int, opens: bool) -> None:
    with server(targets, session.store, session.places.data, port) as serving:
        url = f"http://{HOST}:{serving.server_port}/"
        notify(f"the report is at {url}, until Ctrl-C")
        if opens:
            webbrowser.open(url)
        serving.serve_forever()


def _name(targets: list[Target]) -> str:
    """Return what the file is called: by its one target, or by a hash of several."""
    if len(targets) > 1:
        text = " ".join(f"{target.kind} {target.name}" for target in targets)
        return f"report-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    (target,) = targets
    return Path(target.name).name or target.kind
