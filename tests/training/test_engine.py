"""The engine: whose weights its passes read, what bf16 and layouts change of a step."""

import pytest
import torch
from training_helpers import as_vector, built, digits, doubled, make_epochs

from rofit.training.engine import Engine


@pytest.fixture
def spec(smoke_spec):
    """Two steps an epoch, the last batch shorter."""
    return smoke_spec(train_size=100, normalise=True, seed=3)


def _logits(network):
    with torch.no_grad():
        return network(digits("test")[0][:32])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_frozen_network_is_the_trained_one_after_steps_and_after_a_checkpoint(
    spec, precision
):
    run, other = (
        built(spec.replace(precision=precision, seed=seed)) for seed in (3, 4)
    )
    before = _logits(run.engine.frozen)
    make_epochs(run, 1)
    trained = _logits(Engine(run.model, precision).frozen)
    assert not torch.equal(trained, before)
    assert torch.equal(_logits(run.engine.frozen), trained)
    other.load_state_dict(run.state_dict())
    assert torch.equal(_logits(other.engine.frozen), trained)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_attacks_climb_the_frozen_network_unless_they_ask_for_train_mode(
    spec, precision
):
    run = built(spec.replace(precision=precision))
    assert run.engine.attacked(run.method.inner.attack) is run.engine.frozen
    coupled = built(spec.replace(precision=precision, attack_bn="train"))
    assert (
        coupled.engine.attacked(coupled.method.inner.attack) == coupled.engine.predict
    )


def _moves(spec, precision):
    """Return how far one bf16 or fp32 pass moves each running statistic."""
    run = built(spec.replace(precision=precision))
    run.model.train()
    before = {key: buffer.clone() for key, buffer in run.model.named_buffers()}
    logits = run.engine.predict(run.train.unit()[:64])
    assert logits.dtype == torch.float32
    return {key: buffer - before[key] for key, buffer in run.model.named_buffers()}


def test_running_statistics_move_as_in_fp32_and_stay_fp32(spec):
    """Within 2 % of each move: 64 images, 0.2 % a rounding; 0.5 % is seen."""
    fp32, bf16 = (_moves(spec, precision) for precision in ("fp32", "bf16"))
    assert fp32.keys() == bf16.keys()
    for key, move in fp32.items():
        assert bf16[key].dtype == move.dtype, key
        if key.endswith("num_batches_tracked"):
            assert bf16[key] == move == 1, key
        elif "running" in key:
            assert 0 < (bf16[key] - move).norm() < 0.02 * move.norm(), key


@pytest.mark.parametrize(
    ("precision", "tolerance"), [("fp64", 1e-10), ("fp32", 1e-4), ("bf16", 0.05)]
)
def test_layout_of_the_weights_changes_rounding_only(spec, precision, tolerance):
    """Weights after two steps, the tolerance being a share of their way."""
    spec = spec.replace(precision="fp32" if precision == "fp64" else precision)
    nhwc, nchw = (built(spec) for _ in range(2))
    begun = as_vector(nhwc.model.state_dict())
    nchw.model.to(memory_format=torch.contiguous_format)
    nchw.engine = Engine(nchw.model, spec.precision)
    assert nchw.model.stages[0][0].conv1.weight.is_contiguous()
    assert not nhwc.model.stages[0][0].conv1.weight.is_contiguous()
    for run in (nhwc, nchw):
        make_epochs(doubled(run) if precision == "fp64" else run, 1)
    ends = [as_vector(run.model.state_dict()) for run in (nhwc, nchw)]
    assert (ends[1] - ends[0]).norm() < tolerance * (ends[0] - begun).norm()
