"""Training steps replayed from a recording are the steps: bit for bit, every method.

On the CPU a tape stands for CUDA graphs (tests/tape.py); on a GPU the graphs themselves
are tested in tests/attacks/test_captured.py.
"""

from copy import deepcopy
from dataclasses import replace

import pytest
import tape
import torch
from training_helpers import built, same

from rofit.attacks.captured import WARM_UP
from rofit.labels.rule import LabelRule
from rofit.methods import METHODS
from rofit.progress import Report
from rofit.settings.choices import MIXED
from rofit.training.graphs import StepGraphs
from rofit.training.loop import train_epoch
from rofit.training.stop import Stop

EPOCHS, STEPS = 5, 5  # label rules set in after two epochs


@pytest.fixture
def spec(smoke_spec):
    """Five steps of 16 an epoch; SGLS and what else begins late, from the third on."""
    small = smoke_spec(val_size=16, test_size=16, blocks=(1, 1))
    return small.replace(train_size=80, batch_size=16, epochs=EPOCHS, seed=3)


def _recorded(spec):
    """Return a training whose steps are replayed from a tape, where they can be."""
    run = built(spec, diagnostics=("gradient_norm",))
    graphs = StepGraphs(
        run.method, record=tape.record, on_side_stream=lambda call: call()
    )
    return replace(run, graphs=graphs)


def _epochs(run, epochs=EPOCHS):
    """Make some epochs; return terms, rows and the state at the end of each."""
    history = []
    for _ in range(epochs):
        terms = train_epoch(run, Stop(), Report())
        if run.method.average:
            run.method.average.after_epoch(
                run.model, run.epoch, run.spec.epochs, run.clean_batches
            )
        run.epoch, run.step = run.epoch + 1, 0
        rows = run.curves.rows(run.engine.frozen) + run.monitor.rows()
        history.append({"terms": terms, "rows": rows})
    return [*history, run.state_dict()]


@pytest.mark.parametrize("method", METHODS)
def test_replayed_steps_are_the_steps_bit_for_bit(spec, method):
    spec = spec.replace(method=method)
    recorded = _recorded(spec)
    same(_epochs(recorded), _epochs(built(spec, diagnostics=("gradient_norm",))))
    assert recorded.graphs.why_not == ""
    assert len(recorded.graphs.graphs) == 1


@pytest.mark.parametrize("augment", MIXED)
def test_replayed_steps_on_mixed_images_are_the_steps(spec, augment):
    """Partners and shares are other ones in every epoch, on the same memory."""
    spec = spec.replace(augment=augment, method="awp")
    recorded = _recorded(spec)
    same(_epochs(recorded), _epochs(built(spec, diagnostics=("gradient_norm",))))
    assert recorded.graphs.why_not == "" and len(recorded.graphs.graphs) == 1


def test_extra_passes_and_nesterov_are_replayed_bit_for_bit(spec):
    passes = ("adversarial", "clean", "clean", "clean_after_step")
    spec = spec.replace(method="trades", extra_passes=passes, nesterov=True)
    recorded = _recorded(spec)
    same(_epochs(recorded), _epochs(built(spec, diagnostics=("gradient_norm",))))
    assert recorded.graphs.why_not == "" and len(recorded.graphs.graphs) == 1


def test_shorter_last_batch_has_a_graph_of_its_own(spec):
    spec = spec.replace(train_size=72, epochs=WARM_UP + 2, method="sgls")
    spec = spec.replace(method_params={"start": 0.0})
    recorded = _recorded(spec)
    plain = built(spec, diagnostics=("gradient_norm",))
    same(_epochs(recorded, spec.epochs), _epochs(plain, spec.epochs))
    assert sorted(shape[0] for shape in recorded.graphs.graphs) == [8, 16]


def test_resumed_training_goes_on_as_the_recorded_one_would(spec):
    """A checkpoint of replayed steps holds no tensor for a rate, and is taken back."""
    spec = spec.replace(method="adr_ema_awp")
    recorded = _recorded(spec)
    _epochs(recorded, 2)
    state = recorded.state_dict()
    rates = [group["lr"] for group in state["optimizer"]["param_groups"]]
    assert [type(rate) for rate in rates] == [float]
    kept = deepcopy(state)
    expected = _epochs(recorded, 2)[-1]
    for other in (_recorded(spec), built(spec, diagnostics=("gradient_norm",))):
        other.load_state_dict(deepcopy(kept))
        same(_epochs(other, 2)[-1], expected)


class _Counting(LabelRule):
    """A rule that remembers in Python, which a graph would not repeat."""

    def __init__(self, rule):
        self.rule, self.steps = rule, 0

    def current(self, index, y):
        return self.rule.current(index, y)

    def after_step(self):
        self.steps += 1


class _Rebinding(_Counting):
    """One that makes a new tensor instead of changing the old one."""

    def __init__(self, rule):
        self.rule, self.mean = rule, torch.zeros(())

    def after_step(self):
        self.mean = self.mean + 1


@pytest.mark.parametrize(
    ("kind", "name"), [(_Counting, "labels.steps"), (_Rebinding, "labels.mean")]
)
def test_rule_that_remembers_in_python_is_named_and_not_captured(spec, kind, name):
    run = _recorded(spec)
    run.method.labels = kind(run.method.labels)
    _epochs(run, 2)
    assert not run.graphs.graphs
    assert run.graphs.why_not == (
        f"a step is not captured as a CUDA graph: it changes {name}, which must be "
        "kept in a tensor and changed in place"
    )


def test_recording_changes_nothing_and_python_runs_once():
    x, calls = torch.ones(3), []

    def function():
        calls.append(len(calls))
        x.add_(1)
        return 2 * x + len(calls)

    output, replay = tape.record(function)
    assert torch.equal(x, torch.ones(3))
    for value in (2.0, 3.0):
        replay()
        assert torch.equal(x, torch.full((3,), value))
        assert torch.equal(output, torch.full((3,), 2 * value + 1))
    assert calls == [0]
