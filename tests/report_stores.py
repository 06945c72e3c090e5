"""Stores to report on: plain runs, hostile texts, and the markup of a page."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
from made_up_logs import course, write_run

from rofit.settings.spec import RunSpec
from rofit.store.evaluations import EvaluationFolder
from rofit.store.runs import RunFolder, RunStore

HOSTILE = "</script><img src=x onerror=boom()>"
HOSTILE_NAME = "<img src=x onerror=boom()>"  # no name may have a slash
# In the order of epochs; chosen on val: epoch 2.
VAL, TEST, CLEAN = (0.25, 0.5, 0.375), (0.1875, 0.4375, 0.28125), (0.5, 0.75, 0.625)
TRAIN = (0.125, 0.5, 0.875)
ENVIRONMENT = {"versions": {"rofit": "0.1.0"}, "device": "cpu", "threads": 1}


def rows(**about):
    """Return three epochs of accuracies; *about* goes into every row."""
    at_end = {"metric": "accuracy", "measured": "epoch_end", "n": 64}
    on_the_fly = {"metric": "accuracy", "measured": "step", "n": 128}
    return [
        *course(VAL, **at_end, split="val", attack="pgd20", **about),
        *course(TEST, **at_end, split="test", attack="pgd20", **about),
        *course(CLEAN, **at_end, split="test", attack="none", **about),
        *course(TRAIN, **on_the_fly, split="train", attack="pgd10", **about),
        *course((0.1, 0.1, 0.01), metric="learning_rate", split="train", **about),
        *course((2.0, 1.0, 3.0), metric="gradient_norm", split="train", **about),
    ]


def plain_run(root: Path, more=(), **changes) -> RunFolder:
    """Write a run of three epochs with events and an environment."""
    spec = RunSpec(**{"epochs": 3} | changes)
    ordered = sorted([*rows(), *more], key=lambda row: row["epoch"])
    write_run(root, spec, ordered)
    folder = RunStore(root).folder(spec.run_id)
    folder.note_environment(ENVIRONMENT)
    folder.event("start", diagnostics=["gradient_norm"])
    folder.event("stop", epoch=3, done=True, seconds=7200)
    return folder


def hostile_run(root: Path) -> RunFolder:
    """Write a run whose every free text is markup."""
    more = course((1.0, 2.0, 3.0), metric=HOSTILE, split="test", attack=HOSTILE)
    folder = plain_run(root, more, dataset=HOSTILE_NAME, dataset_digest=HOSTILE_NAME)
    folder.note_environment({"commit": HOSTILE, "versions": {HOSTILE: HOSTILE}})
    folder.event(HOSTILE, note=HOSTILE, nested={HOSTILE: [HOSTILE]})
    verdicts = {"index": [0, 1, 2], "class": [0, 0, 1], "stages": 1}
    verdicts["fooled_by"] = ["", HOSTILE, "clean"]
    result = {
        "checkpoint": HOSTILE,
        "epoch": 3,
        "network": "ab12",
        "kind": "square",
        "attack": HOSTILE,
        "norm": HOSTILE,
        "epsilon": 0.1,
        "n": 3,
        "accuracy": 1 / 3,
        "after": {HOSTILE: 1 / 3},
    }
    evaluation = EvaluationFolder(folder, "last-square")
    evaluation.make()
    evaluation.finish(pd.DataFrame(verdicts), result)
    checks = {"checkpoint": HOSTILE, "warnings": {HOSTILE: HOSTILE}, "passed": []}
    path = evaluation.path.parent / "last-checks-1.json"
    path.write_text(json.dumps(checks))
    return folder


def published_analysis(folder: Path, text: str, run_ids=()) -> Path:
    """Write what an analysis publishes, with *text* wherever a text may stand."""
    folder.mkdir(parents=True)
    manifest = {"analysis": "fig1_gradnorm", "scale": "demo", "data": text}
    manifest |= {"runs": list(run_ids), "overrides": {text: text}}
    claim = {"measured": 2.0, "spread": 0.5, "n": 3, "unit": "points"}
    claim |= {"sentence": text, "needed": "above 0", "verdict": "holds"}
    claim |= {"source": text, "low": 1.0, "high": 3.0, "p": 0.01, "p_holm": 0.02}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "claims.json").write_text(json.dumps([claim]))
    pd.DataFrame({"method": [text], "epoch": [2]}).to_csv(folder / "table.csv")
    return folder


class Markup(HTMLParser):
    """The elements and the text of a page.

    Attributes:
        elements: tag and attributes, in order.
        text: all text outside of script and style.
        scripts: what stands in script elements.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.scripts, self._open = "", [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag):
        self._open = ""

    def handle_data(self, data):
        if self._open == "script":
            self.scripts.append(data)
        elif self._open != "style":
            self.text += data + " "

    @property
    def words(self) -> str:
        """The text with single spaces."""
        return " ".join(self.text.split())
