"""The command rofit, called inside the test's own process."""

import io
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from rofit.cli import main


class Answer(NamedTuple):
    """What the command left behind."""

    code: int
    out: str
    err: str


def rofit(home: Path, *words: object, columns: int = 200) -> Answer:
    """Run ``rofit <words>`` with runs, results and data under *home*, *columns* wide.

    The width keeps sentences in tables on one line, whatever terminal the tests run in.
    """
    out, err = io.StringIO(), io.StringIO()
    argv = ["rofit", *map(str, words)]
    environ = {"ROFIT_HOME": str(home), "COLUMNS": str(columns)}
    with (
        patch.object(sys, "argv", argv),
        patch.dict(os.environ, environ),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Answer(code, out.getvalue(), err.getvalue())


def is_one_sentence(answer: Answer, sentence: str) -> None:
    """Assert that the command only refused, with *sentence* in one line."""
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err.startswith("rofit: ") and answer.err.count("\n") == 1
    assert sentence in answer.err
