"""From reports to one HTML file: everything inside, nothing fetched, all text escaped.

A Content-Security-Policy names our own script by its digest: what a name smuggled in
would not run, even if it were not escaped.
"""

import base64
import hashlib
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

import rofit
from rofit.names import check_name
from rofit.report.analysis import analysis_report
from rofit.report.run import run_report
from rofit.report.store import list_runs
from rofit.store.runs import RunStore

Link = Callable[[str, str], str]  # kind, name -> address, empty for none


class Target(NamedTuple):
    """What is shown: ``store``, ``run`` (its id) or ``analysis`` (its folder)."""

    kind: str
    name: str = ""


class Section(NamedTuple):
    """A part of the page, drawn by the template that its kind names."""

    kind: str
    anchor: str
    title: str
    report: Any


def render(
    targets: Sequence[Target],
    store: RunStore,
    data: Path,
    link: Link,
    *,
    home: str = "",
    version: str = "",
) -> str:
    """Return the page of the targets.

    What is left out of them (damaged files) is named at its top.

    Args:
        targets: in order.
        store: of the runs.
        data: folder of the data sets, for images of evaluations.
        link: address of the page of a run.
        home: address of the store's page, where there is one.
        version: of what is shown, where a server says when it is another.

    Raises:
        UserError: a target cannot be read.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sections = [_section(target, store, data) for target in targets]
    anchors = {("run", s.title): f"#{s.anchor}" for s in sections if s.kind == "run"}

    def within(kind: str, name: str) -> str:
        return anchors.get((kind, name)) or link(kind, name)

    script, style = _asset("script.js"), _asset("style.css")
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=sections[0].title if len(sections) == 1 else "runs and analyses",
            sections=sections,
            remarks=_remarks(caught),
            link=within,
            home=home,
            version=version,
            policy=policy(script, served=bool(version)),
            script=script,
            style=style,
            rofit_version=rofit.__version__,
        )
    )


def policy(script: str, *, served: bool) -> str:
    """Return the page's Content-Security-Policy: its own script, no network."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = {
        "default-src": "'none'",
        "script-src": f"'sha256-{digest}'",
        "style-src": "'unsafe-inline'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    rules |= {"connect-src": "'self'"} if served else {}
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _section(target: Target, store: RunStore, data: Path) -> Section:
    if target.kind == "store":
        return Section("store", "store", "runs", list_runs(store))
    if target.kind == "run":
        check_name("a run's id", target.name, longest=255)
        report = run_report(store.folder(target.name), data)
        return Section("run", f"run-{target.name}", target.name, report)
    analysis = analysis_report(Path(target.name), store)
    return Section("analysis", f"analysis-{analysis.name}", analysis.name, analysis)


def _remarks(caught: Iterable[warnings.WarningMessage]) -> list[str]:
    """Return what the store's readers warned of; other warnings go on."""
    texts = []
    for warning in caught:
        if issubclass(warning.category, UserWarning):
            texts.append(str(warning.message))
        else:
            place = warning.filename, warning.lineno
            warnings.warn_explicit(warning.message, warning.category, *place)
    return list(dict.fromkeys(texts))


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("rofit.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _asset(name: str) -> str:
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]
