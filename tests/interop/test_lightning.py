"""Lightning's Trainer with our callback: the same weights, and a loop's numbers."""

import warnings

import pytest
import torch
from own_loops import images, own_net
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from training_helpers import same

from rofit import load_logs
from rofit.errors import UserError
from rofit.store.runs import RunStore
from rofit.watch import watch

L = pytest.importorskip("lightning.pytorch", reason="pip install rofit[lightning]")
from rofit.interop.lightning import WatchCallback  # noqa: E402

EPOCHS = 3
SETTINGS = {"epsilon": 0.1, "eval_steps": 2, "step_size": 0.04, "attack_steps": 0}


@pytest.fixture(autouse=True)
def remarks_of_lightning():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Module(L.LightningModule):
    def __init__(self, **fit):
        super().__init__()
        self.net, self.fit, self.norms = own_net(), fit, []

    def training_step(self, batch, batch_idx):
        x, y = batch
        return nn.functional.cross_entropy(self.net(x), y)

    def on_before_optimizer_step(self, optimizer):
        squares = [p.grad.double().square().sum() for p in self.parameters()]
        self.norms.append(sum(squares).sqrt().item())

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
        return {"optimizer": optimizer, "lr_scheduler": schedule}


def callback(store, **options):
    options = images() | {"store": store} | SETTINGS | options
    return WatchCallback(network=lambda module: module.net, **options)


def fit(*callbacks, module=None, ckpt_path=None, epochs=EPOCHS, **options):
    """Train as anyone would; return the module, and torch's stream at the end."""
    x, y = images()["train"]
    module = module or Module()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        loader = DataLoader(TensorDataset(x, y), batch_size=48, shuffle=True)
        trainer = L.Trainer(
            max_epochs=epochs, accelerator="cpu", logger=False, callbacks=[*callbacks],
            enable_checkpointing=any(hasattr(c, "dirpath") for c in callbacks),
            enable_progress_bar=False, enable_model_summary=False, **options,
        )  # fmt: skip
        trainer.fit(module, loader, ckpt_path=ckpt_path)
        return module, torch.get_rng_state()


def end(module, stream):
    gradients = {n: p.grad for n, p in module.named_parameters() if p.grad is not None}
    return {"weights": module.state_dict(), "stream": stream, "gradients": gradients}


def test_weights_and_stream_are_those_of_the_loop_without_the_callback(tmp_path):
    alone, watched = fit(), fit(callback(tmp_path))
    same(end(*alone), end(*watched))
    assert not torch.equal(alone[0].net[0].weight, own_net()[0].weight)
    logs = load_logs(tmp_path)
    assert set(logs["state"]) == {"done"} and set(logs["epoch"]) == {1, 2, 3}
    norms = logs.loc[logs["metric"] == "gradient_norm", "value"].tolist()
    by_hand = torch.tensor(watched[0].norms).reshape(EPOCHS, -1).mean(dim=1).tolist()
    assert norms == pytest.approx(by_hand, rel=1e-5)
    rates = logs.loc[logs["metric"] == "learning_rate", "value"].tolist()
    assert rates == [0.05, 0.025, 0.0125]


class Steps(L.Callback):
    """Calls watch by hand where the callback is thought to."""

    def __init__(self, store):
        self.store = store

    def on_train_start(self, trainer, module):
        options = images() | {"store": self.store} | SETTINGS
        self.watched = watch(module.net, epochs=EPOCHS, **options)

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        self.x, self.y = batch

    def on_before_optimizer_step(self, trainer, module, optimizer):
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self.stream)
            buffers = {n: b.clone() for n, b in module.named_buffers()}
            logits = module.net(self.x)
            for name, buffer in module.named_buffers():
                buffer.copy_(buffers[name])
        self.watched.step(logits, self.y, nn.functional.cross_entropy(logits, self.y))
        self.lr = optimizer.param_groups[0]["lr"]

    def on_train_epoch_end(self, trainer, module):
        self.watched.epoch(lr=self.lr)


class Drawn(Module):
    """Tells Steps the stream that its forward pass drew from."""

    def training_step(self, batch, batch_idx):
        for one in self.trainer.callbacks:
            one.stream = torch.get_rng_state()
        return super().training_step(batch, batch_idx)


def numbers(root):
    (run,) = RunStore(root).runs()
    return (run.path / "epochs.jsonl").read_text()


def test_rows_are_those_of_watch_called_by_hand(tmp_path):
    fit(Steps(tmp_path / "hand"), module=Drawn())
    fit(callback(tmp_path / "callback"))
    assert numbers(tmp_path / "hand") == numbers(tmp_path / "callback")


def test_fit_that_goes_on_from_a_checkpoint_logs_what_an_unbroken_one_does(tmp_path):
    keep = L.callbacks.ModelCheckpoint(dirpath=tmp_path / "own", save_last=True)

    class Stopped(Exception):
        pass

    class Stop(L.Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_idx):
            if trainer.current_epoch == 2 and batch_idx == 3:
                raise Stopped

    quiet = {"diagnostics": ("gradient_norm",)}  # Lightning keeps no random stream
    with pytest.raises(Stopped):
        fit(callback(tmp_path / "runs", **quiet), keep, Stop())
    (run,) = RunStore(tmp_path / "runs").runs()
    two = (run.path / "epochs.jsonl").read_text()
    assert run.state == "partial" and '"epoch": 3' not in two
    fit(callback(tmp_path / "runs", **quiet), ckpt_path=str(tmp_path / "own/last.ckpt"))
    assert run.state == "done" and numbers(tmp_path / "runs").startswith(two)
    assert set(load_logs(tmp_path / "runs")["epoch"]) == {1, 2, 3}


def test_accumulated_batches_are_one_step(tmp_path):
    options = {"accumulate_grad_batches": 2}
    _, stream = fit(**options)
    module, watched = fit(callback(tmp_path), **options)
    assert torch.equal(stream, watched)
    logs = load_logs(tmp_path)
    steps = logs[(logs["measured"] == "step") & (logs["metric"] == "accuracy")]
    assert steps["n"].tolist() == [320] * 3
    norms = logs.loc[logs["metric"] == "gradient_norm", "value"].tolist()
    by_hand = torch.tensor(module.norms).reshape(EPOCHS, -1).mean(dim=1).tolist()
    assert norms == pytest.approx(by_hand, rel=1e-5)


class Whole(Module):
    """Maps images to logits itself, and compiled or not: the module is the network."""

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, batch_idx):
        return nn.functional.cross_entropy(self(batch["x"]), batch["y"])


def test_module_that_is_the_network_and_batches_that_are_dicts(tmp_path):
    x, y = images()["train"]
    data = [{"x": a, "y": b} for a, b in zip(x, y, strict=True)]
    options = images() | {"store": tmp_path} | SETTINGS
    watching = WatchCallback(classes=lambda batch: batch["y"], **options)
    trainer = L.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, callbacks=[watching],
        enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Whole(), DataLoader(data, batch_size=48))
    assert set(load_logs(tmp_path)["state"]) == {"done"}


def test_network_that_makes_no_pass_is_said(tmp_path):
    options = images() | {"store": tmp_path} | SETTINGS
    with pytest.raises(UserError, match="watched made no forward pass .*network="):
        fit(WatchCallback(network=lambda module: module.unused, **options),
            module=_with_unused())  # fmt: skip


def _with_unused():
    module = Module()
    module.unused = own_net()
    return module


def test_trainer_without_an_end_is_refused(tmp_path):
    with pytest.raises(UserError, match="no max_epochs: WatchCallback.epochs="):
        fit(callback(tmp_path), epochs=-1)
