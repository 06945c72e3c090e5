"""The loop: what it keeps, when it stops, and that watching disturbs nothing."""

import json

import pytest
import torch
from few_images import few_images
from training_helpers import CPU, last_state, same, train

from rofit.diagnostics import DIAGNOSTICS
from rofit.errors import UserError
from rofit.measures.metrics import best_last_gap
from rofit.methods import METHODS
from rofit.running import runner
from rofit.store.rows import load_logs
from rofit.training import checkpoint
from rofit.training.divergence import Diverged, check_finite

SINGLE_STEP = ("fast_at", "n_fgsm", "nuat", "fgsm_pgi")


@pytest.fixture(scope="module", params=METHODS)
def plain(request, smoke_spec, tmp_path_factory):
    """A run of every method that nothing watched, and its folder."""
    spec = smoke_spec(method=request.param)
    folder, done = train(spec, tmp_path_factory.mktemp(request.param))
    assert done
    return spec, folder


def test_every_method_trains_and_writes_every_curve(plain):
    spec, folder = plain
    logs = load_logs(folder.path.parent, [spec.run_id])
    robust = f"pgd{spec.eval_steps}"
    for split in ("val", "test"):
        for attack in ("none", robust):
            for metric in ("accuracy", "loss"):
                about = (logs["split"] == split) & (logs["attack"] == attack)
                rows = logs[about & (logs["metric"] == metric)]
                assert rows["epoch"].tolist() == [1, 2]
                assert (rows["n"] == 64).all()
    train_attacks = logs[(logs["split"] == "train") & (logs["metric"] == "accuracy")]
    trained_with = "pgd1" if spec.method in SINGLE_STEP else robust
    assert set(train_attacks["attack"]) == {"none", trained_with}
    assert (logs.loc[logs["metric"] == "accuracy", "value"].between(0, 1)).all()


def test_watching_changes_no_weight(plain, tmp_path):
    spec, alone = plain
    with few_images():
        watched, _ = train(spec, tmp_path, diagnostics=tuple(DIAGNOSTICS))
    assert {*DIAGNOSTICS} == watched.watched() and not alone.watched()
    one, other = last_state(watched), last_state(alone)
    for key in ("model", "optimizer", "labels", "best"):
        same(one[key], other[key], key)


@pytest.mark.parametrize("name", DIAGNOSTICS)
def test_every_diagnostic_logs_each_of_its_columns_whenever_it_is_due(
    name, smoke_spec, tmp_path
):
    kind = DIAGNOSTICS[name]
    folder, _ = train(smoke_spec(), tmp_path, diagnostics=(name,))
    logs = load_logs(folder.path.parent)
    due = [e for e in (1, 2) if name == "gradient_norm" or kind.when.due(e, (1, 2))]
    for column, about in kind.columns.items():
        rows = logs[logs["metric"] == column]
        assert sorted(set(rows["epoch"])) == due, column
        assert rows["value"].notna().all()
        assert about.unit and about.description
    assert kind.cost


def test_draws_from_the_global_generator_change_nothing(smoke_spec, tmp_path):
    one, _ = train(smoke_spec(), tmp_path / "one")
    torch.manual_seed(1234)
    torch.rand(17)
    other, _ = train(smoke_spec(), tmp_path / "other")
    same(last_state(one), last_state(other))


def test_best_checkpoint_is_the_best_of_the_log(smoke_spec, tmp_path):
    folder, _ = train(smoke_spec(epochs=6, lr=0.05), tmp_path)
    best = checkpoint.load(folder.checkpoints / checkpoint.BEST, CPU)
    chosen = best_last_gap(load_logs(folder.path.parent)).iloc[0]
    assert best["epoch"] == best["best"]["epoch"] == chosen["best_epoch"]
    assert chosen["selected_on"] == "val"
    done = json.loads((folder.path / "done.json").read_text())
    assert done["best"]["epoch"] == chosen["best_epoch"]


def test_without_validation_images_best_is_chosen_on_test_and_says_so(
    smoke_spec, tmp_path
):
    folder, _ = train(smoke_spec(val_size=0), tmp_path)
    chosen = best_last_gap(load_logs(folder.path.parent)).iloc[0]
    assert chosen["selected_on"] == "test"


def test_chosen_epochs_are_kept(smoke_spec, tmp_path):
    folder, _ = train(smoke_spec(epochs=3), tmp_path, keep=frozenset({2}))
    names = {path.name for path in folder.checkpoints.iterdir()}
    assert names == {"last.pt", "last-previous.pt", "best.pt", "epoch-0002.pt"}
    assert checkpoint.load(folder.checkpoints / "epoch-0002.pt", CPU)["epoch"] == 2


def test_every_checkpoint_loads_with_weights_only(smoke_spec, tmp_path):
    folder, _ = train(smoke_spec(method="sgls"), tmp_path)
    for path in folder.checkpoints.iterdir():
        state = torch.load(path, weights_only=True)
        assert state["labels"]["average"].shape == (128, 10)


def test_label_noise_is_kept_with_the_run(smoke_spec, tmp_path):
    import pandas as pd

    folder, _ = train(smoke_spec(label_noise=0.4), tmp_path)
    labels = pd.read_parquet(folder.samples / "labels.parquet")
    assert len(labels) == 128
    assert labels["redrawn"].sum() == 51  # floor(0.4 * 128)
    untouched = labels[~labels["redrawn"]]
    assert (untouched["given"] == untouched["true"]).all()
    assert (labels["given"] != labels["true"]).any()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_first_bad_term_is_named_with_its_step(value):
    good = {"cross_entropy": torch.tensor(1.0), "reverse": torch.tensor(2.0)}
    bad = good | {"reverse": torch.tensor(value)}
    with pytest.raises(Diverged, match="'reverse' became (nan|inf) in epoch 4, step 9"):
        check_finite([good, good, bad, bad], epoch=4, first_step=7)


def test_divergence_stops_the_run_and_keeps_the_checkpoint_before(
    smoke_spec, tmp_path, monkeypatch
):
    folder, _ = train(smoke_spec(), tmp_path, stop_after=2)
    before = (folder.checkpoints / checkpoint.LAST).read_bytes()
    from rofit.training import loop

    step = loop.train_step

    def broken(run, batch, start):
        terms = step(run, batch, start)
        return {name: term * float("nan") for name, term in terms.items()}

    monkeypatch.setattr(loop, "train_step", broken)
    with pytest.raises(Diverged, match="'cross_entropy' became nan in epoch 2, step 1"):
        train(smoke_spec(), tmp_path)
    assert (folder.checkpoints / checkpoint.LAST).read_bytes() == before
    assert "diverged" in (folder.path / "events.jsonl").read_text()


def test_last_batch_of_one_image_is_refused(smoke_spec, tmp_path):
    with pytest.raises(UserError, match="leave a last batch of one"):
        train(smoke_spec(train_size=129), tmp_path)


def test_run_held_by_another_is_refused(smoke_spec, tmp_path):
    from rofit.methods.resolve import described
    from rofit.store.runs import RunStore

    spec = smoke_spec()
    folder = RunStore(tmp_path / "runs").folder(spec.run_id)
    with folder.opened(described(spec)), pytest.raises(UserError, match="another"):
        train(spec, tmp_path)


def test_time_limit_stops_at_an_epochs_end(smoke_spec, tmp_path):
    from rofit.progress import Report
    from rofit.store.runs import RunStore
    from rofit.training.stop import Stop

    spec = smoke_spec()
    folder = RunStore(tmp_path / "runs").folder(spec.run_id)
    done = runner.train_run(
        spec,
        folder,
        data=tmp_path,
        device=CPU,
        stop=Stop(max_minutes=0),
        report=lambda s, e: Report(),
    )
    assert not done
    state = last_state(folder)
    assert (state["epoch"], state["step"]) == (1, 0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_gpu_run_follows_the_cpu_run(smoke_spec, tmp_path):
    """Same draws on both: after a step the losses differ by rounding only."""
    spec = smoke_spec(epochs=1, lr=1e-4)
    train(spec, tmp_path / "cpu")
    import rofit.running.runner as runner_module

    folder = runner_module.RunFolder(tmp_path / "gpu" / spec.run_id)
    from rofit.progress import Report
    from rofit.training.stop import Stop

    runner.train_run(
        spec,
        folder,
        data=tmp_path,
        device=torch.device("cuda"),
        stop=Stop(),
        report=lambda s, e: Report(),
    )
    cpu = load_logs(tmp_path / "cpu" / "runs")
    gpu = load_logs(tmp_path / "gpu")
    loss = [
        x[(x["metric"] == "loss") & (x["split"] == "train")]["value"].to_numpy()
        for x in (cpu, gpu)
    ]
    assert loss[0] == pytest.approx(loss[1], abs=1e-3)
