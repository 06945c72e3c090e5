"""A published network is the run's own, to the bit, where rofit is not installed."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from evaluated_runs import load
from publishable import TINY, bare_environment, network

from rofit.errors import UserError
from rofit.interop.publish.folder import publish
from rofit.interop.publish.network import define, united
from rofit.models import MODELS
from rofit.models.classifier import Classifier
from rofit.models.forms import FORMS
from rofit.running.checkpoints import StoredCheckpoint
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunFolder

# The two largest differ in size alone from a wide ResNet that a test can hold.
SMALL = [name for name in MODELS if not name.startswith("wrn_")] + ["wrn_10_2"]
IN_BARE = """
import importlib.util, sys, torch
for name in ("rofit", "torchvision", "pandas"):
    assert importlib.util.find_spec(name) is None, name
torch.set_num_threads(1)
folder, images, logits = sys.argv[1:]
sys.path.insert(0, folder)
from load import load
with torch.no_grad():
    torch.save(load()(torch.load(images, weights_only=True)), logits)
assert not any(name.partition(".")[0] == "rofit" for name in sys.modules)
"""


def stored(spec, net):
    return StoredCheckpoint("best", 1, "ab", spec, net.state_dict(), 0)


def rebuilt(definition):
    """Return the network as load.py makes it of what is written."""
    names = {}
    exec(compile(definition.source, "network.py", "exec"), names)
    net = names["build"](**json.loads(json.dumps(definition.arguments)))
    weights = definition.network.state_dict()
    net.load_state_dict({name: w.contiguous() for name, w in weights.items()})
    return net.eval()


def same_logits(one, other, channels=3):
    """Assert equal bits on images in both memory layouts that torch knows."""
    x = torch.rand(5, channels, 12, 12)
    with torch.no_grad():
        assert torch.equal(one(x), other(x))
        assert torch.equal(
            *(net(x.to(memory_format=torch.channels_last)) for net in (one, other))
        )


def test_fresh_environment_with_torch_and_safetensors_has_the_same_logits(
    digits_run, tmp_path
):
    subject = load(digits_run, "best")
    publish(digits_run, tmp_path / "published")
    images, logits = tmp_path / "images.pt", tmp_path / "logits.pt"
    torch.save(subject.images.x, images)
    words = [*bare_environment(tmp_path / "bare"), IN_BARE]
    paths = map(str, (tmp_path / "published", images, logits))
    done = subprocess.run([*words, *paths], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with torch.no_grad():
        assert torch.equal(
            torch.load(logits, weights_only=True), subject.network(subject.images.x)
        )


@pytest.mark.parametrize("name", SMALL)
def test_every_model_is_written_in_plain_torch(name):
    spec = RunSpec(model=name)
    net = network(spec)
    definition = define(stored(spec, net), Path("best.pt"))
    assert isinstance(definition.network, Classifier)
    plain = rebuilt(definition)
    same_logits(plain, net)
    # asked for itself: oneDNN makes the same sums in either layout
    strides = [weight.stride() for weight in plain.parameters()]
    assert strides == [weight.stride() for weight in net.parameters()]


@pytest.mark.parametrize(
    "spec, options",
    [
        (TINY, {"normalised": False}),
        (TINY.replace(width=6, blocks=(1, 2)), {"channels": 1, "n_classes": 3}),
        (RunSpec(model="resnet18"), {"normalised": False, "channels": 1}),
    ],
)
def test_sizes_and_missing_normalisation_are_read_off_the_weights(spec, options):
    net = network(spec, **options)
    definition = define(stored(spec, net), Path("best.pt"))
    same_logits(rebuilt(definition), net, options.get("channels", 3))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["preact_small", "wrn_10_2"])
def test_other_forms_and_activations_are_published_as_they_are(name, form):
    spec = RunSpec(model=name, form=form, activation="silu")
    net = network(spec)
    same_logits(rebuilt(define(stored(spec, net), Path("best.pt"))), net)


def test_definition_needs_torch_and_python_alone():
    for name in SMALL:
        spec = RunSpec(model=name)
        source = define(stored(spec, network(spec)), Path("best.pt")).source
        tree = ast.parse(source)
        modules = {
            alias.name if isinstance(node, ast.Import) else str(node.module)
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        tops = {module.partition(".")[0] for module in modules}
        assert tops <= {"torch"} | sys.stdlib_module_names
        defined = [n.name for n in tree.body if hasattr(n, "name")]
        assert len(defined) == len(set(defined)), "one definition hides another"


def test_united_source_keeps_comments_and_drops_docstring_and_imports():
    from rofit.interop.publish import preact_builder

    text = united([preact_builder])
    assert "# rofit's networks have this layout" in text
    assert "The end of network.py" not in text and "from rofit" not in text
    assert text.count("from collections.abc import Mapping, Sequence") == 1


def test_loader_has_ten_lines_of_code(digits_run, tmp_path):
    publish(digits_run, tmp_path / "published")
    tree = ast.parse((tmp_path / "published" / "load.py").read_text())
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    docstrings = [
        n for n in statements if isinstance(getattr(n, "value", 0), ast.Constant)
    ]
    assert len(statements) - len(docstrings) == 10


def test_one_loader_loads_another_exported_folder(digits_run, tmp_path):
    publish(digits_run, tmp_path / "one")
    copy = tmp_path / "runs" / digits_run.path.name
    shutil.copytree(digits_run.path, copy)
    publish(RunFolder(copy), tmp_path / "two", "last")
    names = {"__file__": str(tmp_path / "one" / "load.py")}
    exec((tmp_path / "one" / "load.py").read_text(), names)
    subject = load(digits_run, "last")
    with torch.no_grad():
        logits = names["load"](str(tmp_path / "two"))(subject.images.x)
        assert torch.equal(logits, subject.network(subject.images.x))


def test_model_without_a_plain_definition_is_refused(monkeypatch):
    class Own(Classifier):
        def __init__(self, channels, n_classes, normalise):
            super().__init__()
            self.normalise = normalise
            self.stem = torch.nn.Conv2d(channels, 4, 1)
            self.classifier = torch.nn.Linear(4, n_classes)

        def features(self, x):
            return self.stem(self.normalise(x)).mean(dim=(2, 3))

    monkeypatch.setitem(MODELS, "own", Own)
    spec = RunSpec(model="own")
    with pytest.raises(UserError, match="model own has no definition in plain torch"):
        define(stored(spec, network(spec)), Path("best.pt"))


def test_weights_of_another_network_are_refused():
    tiny, other = stored(TINY, network(TINY)), RunSpec(model="resnet18")
    wrong = StoredCheckpoint("best", 1, "ab", other, tiny.weights, 0)
    with pytest.raises(
        UserError, match="weights in best.pt do not fit resnet18 with 10"
    ):
        define(wrong, Path("best.pt"))
    none = StoredCheckpoint("best", 1, "ab", TINY, {}, 0)
    with pytest.raises(UserError, match="in best.pt are not those of preact_tiny"):
        define(none, Path("best.pt"))
