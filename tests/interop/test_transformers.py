"""Hugging Face's Trainer with our callback: the same weights, and a loop's numbers."""

import warnings

import pytest
import torch
from own_loops import images, own_net
from torch import nn
from training_helpers import same

from rofit import load_logs
from rofit.errors import UserError
from rofit.store.runs import RunStore
from rofit.watch import watch

transformers = pytest.importorskip(
    "transformers", reason="pip install rofit[transformers]"
)
pytest.importorskip("accelerate", reason="pip install rofit[transformers]")
from rofit.interop.transformers import WatchCallback  # noqa: E402

EPOCHS = 3
SETTINGS = {"epsilon": 0.1, "eval_steps": 2, "step_size": 0.04, "attack_steps": 0}


@pytest.fixture(autouse=True)
def remarks_of_transformers():
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        yield


class Model(nn.Module):
    """A classifier as the Trainer calls it."""

    def __init__(self):
        super().__init__()
        self.net = own_net()

    def forward(self, pixel_values, labels=None):
        logits = self.net(pixel_values)
        if labels is None:
            return {"logits": logits}
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


class Recorded(transformers.TrainerCallback):
    """Works the norms of gradients out by hand."""

    def __init__(self):
        self.norms = []

    def on_pre_optimizer_step(self, args, state, control, model=None, **others):
        squares = [p.grad.double().square().sum() for p in model.parameters()]
        self.norms.append(sum(squares).sqrt().item())


def fit(root, *callbacks, model=None, again=False, trainer=None, **options):
    """Train as anyone would; return model, torch's stream and the norms by hand."""
    x, y = images()["train"]
    data = [{"pixel_values": a, "labels": b} for a, b in zip(x, y, strict=True)]
    model, by_hand = model or Model(), Recorded()
    arguments = transformers.TrainingArguments(
        **{
            "output_dir": str(root / "own"), "num_train_epochs": EPOCHS, "seed": 1,
            "per_device_train_batch_size": 48, "learning_rate": 0.01, "use_cpu": True,
            "report_to": [], "save_strategy": "no", "disable_tqdm": True,
        } | options
    )  # fmt: skip
    made = (trainer or transformers.Trainer)(
        model=model, args=arguments, train_dataset=data, callbacks=[*callbacks, by_hand]
    )
    made.train(resume_from_checkpoint=True if again else None)
    return model, torch.get_rng_state(), by_hand.norms


def callback(store, **options):
    return WatchCallback(**images() | {"store": store} | SETTINGS | options)


def numbers(root):
    (run,) = RunStore(root).runs()
    return (run.path / "epochs.jsonl").read_text()


def test_weights_and_stream_are_those_of_the_loop_without_the_callback(tmp_path):
    alone, watched = fit(tmp_path), fit(tmp_path, callback(tmp_path / "runs"))
    same(*({"weights": m.state_dict(), "stream": s} for m, s, _ in (alone, watched)))
    assert not torch.equal(alone[0].net[0].weight, own_net()[0].weight)
    logs = load_logs(tmp_path / "runs")
    assert set(logs["state"]) == {"done"} and set(logs["epoch"]) == {1, 2, 3}
    norms = logs.loc[logs["metric"] == "gradient_norm", "value"].tolist()
    by_hand = torch.tensor(watched[2]).reshape(EPOCHS, -1).mean(dim=1).tolist()
    assert norms == pytest.approx(by_hand, rel=1e-5)
    steps = logs[(logs["measured"] == "step") & (logs["metric"] == "accuracy")]
    assert steps["n"].tolist() == [320] * 3
    assert "iiw_fisher" in set(
        logs["metric"]
    )  # the hooks leave the trained prior alone


def test_trained_weights_are_what_the_rows_are_of(tmp_path):
    model, _, _ = fit(tmp_path, callback(tmp_path / "runs"), bf16=True)
    logs = load_logs(tmp_path / "runs")
    (x, y), net = images()["test"], model.net.eval()
    with torch.no_grad():  # in fp32, not in the Trainer's autocast
        logits = net(x)
    about = logs[(logs["split"] == "test") & (logs["attack"] == "none")]
    losses = about.loc[about["metric"] == "loss", "value"].tolist()
    assert losses[-1] == pytest.approx(
        nn.functional.cross_entropy(logits.double(), y).item(), rel=1e-6
    )


def test_training_that_goes_on_from_a_checkpoint_logs_what_an_unbroken_one_does(
    tmp_path,
):
    class Stopped(Exception):
        pass

    class Stop(transformers.TrainerCallback):
        def on_step_begin(self, args, state, control, **others):
            if state.global_step == 17:
                raise Stopped

    options = {"save_strategy": "epoch"}
    with pytest.raises(Stopped):
        fit(tmp_path, callback(tmp_path / "runs"), Stop(), **options)
    (run,) = RunStore(tmp_path / "runs").runs()
    assert run.state == "partial" and '"epoch": 3' not in numbers(tmp_path / "runs")
    resumed = fit(tmp_path, callback(tmp_path / "runs"), again=True, **options)
    root = tmp_path / "unbroken"
    unbroken = fit(root, callback(root / "runs"), **options)
    same(*({"weights": m.state_dict(), "stream": s} for m, s, _ in (resumed, unbroken)))
    assert numbers(tmp_path / "runs") == numbers(root / "runs")


def test_accumulated_batches_are_one_step(tmp_path):
    options = {"gradient_accumulation_steps": 2, "max_grad_norm": 0.0}
    options |= {"per_device_train_batch_size": 40}  # 8 of them: none is left over
    _, _, by_hand = fit(tmp_path, callback(tmp_path / "runs"), **options)
    logs = load_logs(tmp_path / "runs")
    steps = logs[(logs["measured"] == "step") & (logs["metric"] == "accuracy")]
    assert steps["n"].tolist() == [320] * 3
    norms = logs.loc[logs["metric"] == "gradient_norm", "value"].tolist()
    means = torch.tensor(by_hand).reshape(EPOCHS, -1).mean(dim=1).tolist()
    assert norms == pytest.approx(means, rel=1e-5)


def library_model():
    config = transformers.ResNetConfig(
        num_channels=1, embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1],
        layer_type="basic", num_labels=10,
    )  # fmt: skip
    return transformers.ResNetForImageClassification(config)


def test_labels_that_the_network_is_not_given_are_said(tmp_path):
    options = {"model": library_model(), "label_smoothing_factor": 0.1}
    with pytest.raises(UserError, match="the Trainer gave the network no labels"):
        fit(tmp_path, callback(tmp_path / "runs"), **options)


def test_a_network_of_the_library_is_watched(tmp_path):
    options = {"model": library_model(), "num_train_epochs": 1}
    fit(tmp_path, callback(tmp_path / "runs"), **options)
    logs = load_logs(tmp_path / "runs")
    assert set(logs["model"]) == {"ResNetForImageClassification"}
    assert {"gradient_norm", "hessian_top_eigenvalue"} <= set(logs["metric"])


def test_rows_are_those_of_watch_called_by_hand(tmp_path):
    watched = watch(
        model := Model(), epochs=EPOCHS, store=tmp_path / "hand", **images(), **SETTINGS
    )

    class ByHand(transformers.Trainer):
        def compute_loss(self, model, inputs, **options):
            loss, self.outputs = super().compute_loss(
                model, inputs, **options | {"return_outputs": True}
            )
            self.y = inputs["labels"]
            return loss

    class Steps(transformers.TrainerCallback):
        def on_pre_optimizer_step(self, args, state, control, optimizer, **others):
            self.lr = optimizer.param_groups[0]["lr"]
            outputs, y = holder[0].outputs, holder[0].y
            watched.step(outputs, y, outputs["loss"])

        def on_epoch_end(self, args, state, control, **others):
            watched.epoch(lr=self.lr)

    holder = []

    def make(**options):
        holder.append(ByHand(**options))
        return holder[0]

    fit(tmp_path, Steps(), model=model, trainer=make)
    fit(tmp_path, callback(tmp_path / "runs"))
    assert numbers(tmp_path / "hand") == numbers(tmp_path / "runs")
