"""Fuzzer of specs, spec files, `--set` and command lines: a sentence, or success.

    PYTHONPATH=tests python tests/abuse/fuzz_settings.py 20000 1

A case is a function of seed and number, so that one that failed can be made again.
"""

import faulthandler
import io
import json
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from command_line import rofit
from hostile_commands import command_line, pair
from hostile_values import Draw, spec_bytes, spec_values

from rofit.errors import UserError, quoted
from rofit.methods import METHODS
from rofit.methods.resolve import described, override, resolve
from rofit.models import RESIZABLE, build_model
from rofit.running.components import initial_model, load_data
from rofit.settings.knobs import parse_pair
from rofit.settings.scales import SCALES
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunStore
from rofit.store.stored_spec import read_spec
from rofit.training import checkpoint

SECONDS = 60  # a case: a thousand times what the slowest takes on a quiet machine
_LONGEST_ECHO = 250


class Hangs(BaseException):
    """A case that does not end; no handler of the package may take it."""


def fuzz(n: int, seed: int) -> list[str]:
    """Return a line for each of *n* cases that ended in anything but what it may."""
    failures = []
    with tempfile.TemporaryDirectory() as folder, _inside(Path(folder)) as home:
        for case in range(n):
            kind, draw = case_of(seed, case)
            try:
                with _watchdog(SECONDS):
                    fault = KINDS[kind][0](draw, home)
            except Hangs:
                fault = "does not end"
            except Exception as error:  # what a fuzzer is for
                fault = f"{type(error).__name__}: {quoted(str(error))}"
            if fault:
                failures.append(f"{kind} {seed}-{case}: {fault}")
        outside = sorted(p.name for p in home.parent.iterdir() if p != home)
        if outside:
            failures.append(f"left beside the store: {outside}")
    return failures


def case_of(seed: int, case: int) -> tuple[str, Draw]:
    """Return a case's kind, and the draws that make it."""
    draw = random.Random(f"{seed}-{case}")
    (kind,) = draw.choices(list(KINDS), weights=[share for _, share in KINDS.values()])
    return kind, draw


def _spec(draw: Draw, home: Path) -> str:
    """A mapping, as from a notebook or a checkpoint."""
    return _sentence(lambda: _use(RunSpec.from_dict(spec_values(draw)), home, draw))


def _file(draw: Draw, home: Path) -> str:
    """A spec.json of the user's."""
    file = home / "spec.json"
    file.write_bytes(spec_bytes(draw))
    return _sentence(lambda: _use(read_spec(file).spec, home, draw))


def _set(draw: Draw, home: Path) -> str:
    """The overrides of a command, read as the command reads them."""
    method = draw.choice(list(METHODS))
    pairs = [pair(draw, method) for _ in range(draw.choice((1, 1, 2, 3)))]
    spec = SCALES["smoke"].apply(RunSpec(method=method))

    def read() -> None:
        _use(override(spec, dict(parse_pair(typed) for typed in pairs)), home, draw)

    return _sentence(read)


def _command(draw: Draw, home: Path) -> str:
    """A command line, in this process."""
    words = command_line(draw)
    with patch.object(sys, "stdin", io.StringIO()):  # rm asks a terminal
        answer = rofit(home, *words)
    fault = ""
    if answer.code == 2:
        *remarks, sentence = answer.err.splitlines() or [""]
        fault = _fault_of(sentence.removeprefix("rofit: "))
        said = all(line.startswith("rofit: ") for line in (*remarks, sentence))
        fault = fault or ("" if said else f"more than sentences: {quoted(answer.err)}")
        echoed = [w for w in words if len(w) > _LONGEST_ECHO and w in answer.err]
        fault = fault or ("repeats a long argument" if echoed else "")
    elif answer.code or "Traceback" in answer.err:
        fault = f"exit code {answer.code}: {quoted(answer.err)}"
    return fault and f"{fault}: {quoted(words)}"


# Kind -> what makes and judges a case, and how many of them there are.
KINDS: dict[str, tuple[Callable[[Draw, Path], str], int]] = {
    "spec": (_spec, 30),
    "file": (_file, 15),
    "set": (_set, 40),
    "command": (_command, 15),
}


def _use(spec: RunSpec, home: Path, draw: Draw) -> None:
    """Do with a spec that was taken all that comes before training."""
    spec = resolve(spec)
    assert RunSpec.from_dict(spec.as_dict()) == spec, "it reads back as another"
    assert len(json.dumps(described(spec))) < 2 * 10**5, "it is too long to keep"
    root = home / "runs"
    path = RunStore(root).folder(spec.run_id).path
    assert Path(os.path.normpath(path)).parent == root, "it leads out of the store"
    assert len(path.name.encode()) <= 255, "no folder can have its name"
    if spec.epochs <= 1000:
        assert spec.evaluated_epochs[-1] == spec.epochs
    if spec.model in RESIZABLE and draw.random() < 0.9 and not spec.blocks:
        return  # the same as ever
    sizes = {"width": spec.width or None, "blocks": spec.blocks or None}
    with torch.device("meta"):
        model = build_model(
            spec.model, channels=3, image_size=32, n_classes=10, **sizes
        )
    assert sum(p.numel() for p in model.parameters()) < 2.1e9, "no memory holds it"


def _sentence(act: Callable[[], Any]) -> str:
    """Return what is wrong with how *act* ends, nothing if it may."""
    try:
        act()
    except UserError as error:
        return _fault_of(str(error))
    return ""


def _fault_of(sentence: str) -> str:
    if not sentence.strip():
        return "no word"
    if not sentence.isprintable():
        return f"more than a line: {quoted(sentence)}"
    if len(sentence) > 1000 or any(len(w) > _LONGEST_ECHO for w in sentence.split()):
        return f"more than can be read: {len(sentence)} characters"
    return ""


@contextmanager
def _inside(folder: Path) -> Iterator[Path]:
    """Work in a folder below *folder*, whose parent nothing may touch."""
    home, before = folder / "only" / "here", Path.cwd()
    home.mkdir(parents=True)
    spec = SCALES["smoke"].apply(RunSpec())
    run = RunStore(home / "runs").folder(spec.run_id)
    with run.opened(
        {"run_id": spec.run_id, "family_id": spec.family_id} | spec.as_dict()
    ):
        model = initial_model(spec, load_data(spec, home))
        state = {"spec": spec.as_dict(), "model": model.state_dict(), "epoch": 1}
        checkpoint.save(state, run.checkpoints / "last.pt")
        checkpoint.save(state, run.checkpoints / "best.pt")
    os.chdir(home)
    try:
        yield home
    finally:
        os.chdir(before)


@contextmanager
def _watchdog(seconds: int) -> Iterator[None]:
    """Raise Hangs after so long; end the process where no signal gets through."""

    def bark(*_: object) -> None:
        raise Hangs

    before = signal.signal(signal.SIGALRM, bark)
    signal.alarm(seconds)
    faulthandler.dump_traceback_later(2 * seconds, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        signal.alarm(0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        n, seed = map(int, sys.argv[1:3])
        failed = fuzz(n, seed)
        kinds = Counter(case_of(seed, case)[0] for case in range(n))
        print(*failed, f"{dict(kinds)}: {len(failed)} failures", sep="\n")
        sys.exit(bool(failed))
