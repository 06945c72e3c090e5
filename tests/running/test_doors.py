"""rofit.train and rofit.evaluate in scripts and notebooks: bars, interrupts, words."""

import os
import signal
import time

import pytest
import torch
from evaluated_runs import SPEC
from training_helpers import same

import rofit
from rofit.errors import UserError
from rofit.running import doors
from rofit.running.doors import in_arguments
from rofit.store.runs import RunStore

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

SMALL = SPEC.replace(train_size=64, val_size=16, test_size=16, epochs=3)
QUIET = {"device": "cpu", "engine": "eager"}
HANDLERS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture
def interrupt(monkeypatch):
    """Send this process SIGINT after so many steps of the loop."""
    from rofit.training import loop

    def after(steps):
        made, usual = [], loop.train_step

        def step(*args):
            made.append(1)
            if len(made) == steps:
                os.kill(os.getpid(), signal.SIGINT)
            return usual(*args)

        monkeypatch.setattr(loop, "train_step", step)
        return made

    return after


def ended(run):
    """Return a run's numbers and the weights that it ended with."""
    weights = torch.load(run.checkpoints / "last.pt", weights_only=True)["model"]
    return {"numbers": (run.path / "epochs.jsonl").read_text(), "weights": weights}


def test_interrupt_ends_after_its_step_and_the_same_call_goes_on(tmp_path, interrupt):
    before = [signal.getsignal(number) for number in HANDLERS]
    made = interrupt(3)
    options = {"diagnostics": ["gradient_norm"], **QUIET}
    with pytest.raises(KeyboardInterrupt, match="the same call goes on from here"):
        rofit.train(SMALL, store=tmp_path / "stopped", **options)
    assert len(made) == 3
    assert [signal.getsignal(number) for number in HANDLERS] == before
    (stopped,) = RunStore(tmp_path / "stopped").runs()
    assert stopped.state != "done" and (stopped.checkpoints / "last.pt").exists()
    rofit.train(SMALL, store=tmp_path / "stopped", **options)
    (whole,) = rofit.train(SMALL, store=tmp_path / "whole", **options)
    assert stopped.state == "done"
    same(ended(stopped), ended(whole))


def test_what_comes_after_an_interrupted_call_is_not_run(tmp_path, interrupt):
    interrupt(1)
    with pytest.raises(KeyboardInterrupt):
        for seed in (0, 1):
            rofit.train(
                SMALL.replace(seed=seed), store=tmp_path, diagnostics=(), **QUIET
            )
    assert len(RunStore(tmp_path).runs()) == 1


def test_sigterm_ends_the_call_as_before(tmp_path, monkeypatch):
    from rofit.training import loop

    usual = loop.train_step

    def step(*args):
        os.kill(os.getpid(), signal.SIGTERM)
        return usual(*args)

    monkeypatch.setattr(loop, "train_step", step)
    (run,) = rofit.train(SMALL, store=tmp_path, diagnostics=(), **QUIET)
    assert run.state != "done"


def test_network_in_memory_is_interrupted_at_once(monkeypatch):
    def interrupted(*args, **options):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)

    monkeypatch.setattr(doors.of_networks, "evaluate_network", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rofit.evaluate(model=None)


@pytest.mark.parametrize(
    ("sentence", "in_python"),
    [
        ("n: --n must not be more, got 65", "n: n must not be more, got 65"),
        ("instead: --from RUN", "instead: source RUN"),
        ("take fewer (rofit eval --batch-size 8);", "take fewer (batch_size 8);"),
        ("smaller (--set batch_size=64)", "smaller (the field batch_size=64)"),
        ("add --attack transfer", "add attacks transfer"),
        ("nothing -- to see", "nothing -- to see"),
    ],
)
def test_flags_are_said_as_arguments(sentence, in_python):
    assert in_arguments(sentence) == in_python


def test_errors_of_python_functions_name_no_flags(tmp_path):
    with pytest.raises(UserError) as raised:
        rofit.evaluate("none", attacks=["pgd2"], source="", store=tmp_path, **QUIET)
    assert "--" not in str(raised.value)
    (run,) = rofit.train(
        SMALL.replace(epochs=1), store=tmp_path, diagnostics=(), **QUIET
    )
    for options in ({"n": 17}, {"attacks": ["transfer"]}, {"precision": "tf32"}):
        with pytest.raises(UserError) as raised:
            rofit.evaluate(run.path.name, **{"store": tmp_path} | QUIET | options)
        assert "--" not in str(raised.value)


class Cells(nbclient.NotebookClient):
    """A notebook whose kernel is interrupted once a cell has shown something."""

    def interrupt_after(self, text):
        self.waiting = text
        return self

    def process_message(self, msg, cell, cell_index):
        output = super().process_message(msg, cell, cell_index)
        content = msg["content"].get("data", {}).get("text/plain", "")
        if self.waiting and self.waiting in content:
            self.waiting = ""
            os.kill(self.km.provisioner.pid, signal.SIGINT)
        return output


def cell(source):
    return nbformat.v4.new_code_cell(source)


def shown(cell):
    return [
        output["data"]["text/plain"]
        for output in cell.outputs
        if output["output_type"] == "display_data"
    ]


def test_cell_shows_one_bar_is_interrupted_and_goes_on(tmp_path):
    setting_up = cell(f"""
import signal, time, rofit
from rofit.training import loop
before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
spec = rofit.RunSpec.from_dict({SMALL.replace(epochs=6).as_dict()!r})
options = dict(device="cpu", engine="eager", diagnostics=["gradient_norm"])
train_epoch, waited = loop.train_epoch, []

def wait_for_the_interrupt(run, stop, report):
    if run.epoch == 3 and not waited:
        waited.append(True)
        while not stop.now:
            report.step(run.epoch, 0, run.steps)
            time.sleep(0.01)
    return train_epoch(run, stop, report)

loop.train_epoch = wait_for_the_interrupt
""")
    first = cell("(run,) = rofit.train(spec, store='runs', **options)")
    after = cell("""
assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before
folder = rofit.store.runs.RunStore(__import__("pathlib").Path("runs")).runs()[0]
print(folder.state)
""")
    again = cell(
        "(run,) = rofit.train(spec, store='runs', **options)\nprint(run.state)"
    )
    evaluated = cell("""
table = rofit.evaluate(run.path.name, attacks=["clean"], store="runs", device="cpu")
print(table["done"].all())
""")
    first.metadata["tags"] = ["raises-exception"]
    cells = [setting_up, first, after, again, evaluated]
    notebook = nbformat.v4.new_notebook(cells=cells)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(tmp_path / name))
        Cells(
            notebook, timeout=300, kernel_name="python3",
            resources={"metadata": {"path": str(tmp_path)}},
        ).interrupt_after(" 3/6").execute(env=dict(os.environ))  # fmt: skip
    errors = [o for o in first.outputs if o["output_type"] == "error"]
    assert [error["ename"] for error in errors] == ["KeyboardInterrupt"]
    assert "the same call goes on from here" in errors[0]["evalue"]
    (bar,) = shown(first)
    assert "━" in bar and "/6" in bar and "robust" in bar
    assert after.outputs[0]["text"] == "partial\n"
    (bar,) = shown(again)
    assert "6/6" in bar
    streams = [o["text"] for o in again.outputs if o["output_type"] == "stream"]
    assert streams == ["done\n"]
    assert [o["text"] for o in evaluated.outputs if "text" in o] == ["True\n"]
    assert len(shown(evaluated)) <= 2
    twin = SMALL.replace(epochs=6)
    options = {"diagnostics": ["gradient_norm"], **QUIET}
    (whole,) = rofit.train(twin, store=tmp_path / "whole", **options)
    (run,) = RunStore(tmp_path / "runs").runs()
    same(ended(run), ended(whole))
