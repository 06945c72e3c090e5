"""The model card, README.md: a header that the Hub reads, then what the store says.

What is not known is left out. The licence is the user's to choose.

Source of the header's keys: Hugging Face, hub-docs, the metadata of a model card.
"""

from typing import Any

import rofit
from rofit.interop.publish import results, robustbench
from rofit.interop.publish.facts import Facts
from rofit.interop.publish.markdown import bullets, code, header, in_255ths
from rofit.interop.publish.robustbench import Claim
from rofit.methods import METHODS

# Where the Hub has them.
_ON_THE_HUB = {
    "cifar10": "uoft-cs/cifar10",
    "cifar100": "uoft-cs/cifar100",
    "svhn": "ufldl-stanford/svhn",
    "mnist": "ylecun/mnist",
    "fashion_mnist": "zalando-datasets/fashion_mnist",
}
_LENGTHS = ("epsilon", "step_size")
_LOAD = """Needs torch and safetensors, and no rofit. In this folder:

```python
from load import load

network = load()  # in eval mode
logits = network(images)  # (B, {channels}, H, W) in [0, 1] to (B, {n_classes})
```"""


def card(facts: Facts, claims: list[Claim]) -> str:
    """Return the text of README.md."""
    sections = {
        "How it is loaded": _loading(facts),
        "How it was evaluated": results.described(facts),
        "How it was trained": _training(facts),
        "RobustBench": _robustbench(facts, claims),
        "Licence": "None is chosen: write the key `license` into this file's header.",
    }
    head = header(_metadata(facts), "license: yours to choose")
    parts = [head, f"# {code(facts.run_id)}", _summary(facts)]
    parts += [f"## {title}\n\n{text}" for title, text in sections.items()]
    return "\n\n".join(parts) + "\n"


def _metadata(facts: Facts) -> dict[str, Any]:
    """Return the header: accuracies are fractions of the test images."""
    metadata: dict[str, Any] = {
        "library_name": "pytorch",
        "pipeline_tag": "image-classification",
        "tags": ["adversarial-robustness", "image-classification"],
        "metrics": ["accuracy"],
    }
    spec, dataset = facts.checkpoint.spec, facts.settings.get("dataset")
    if dataset in _ON_THE_HUB and not spec.dataset_digest:
        metadata["datasets"] = [_ON_THE_HUB[dataset]]
    measured = results.of_test_images(facts)
    if measured and (facts.evaluations or dataset):
        evaluated_on = {"name": spec.dataset, "type": spec.dataset, "split": "test"}
        metrics = [
            {"type": "accuracy", "name": name, "value": value}
            for name, value in measured.items()
        ]
        result = {
            "task": {"type": "image-classification"},
            "dataset": evaluated_on,
            "metrics": metrics,
        }
        metadata["model-index"] = [{"name": facts.run_id, "results": [result]}]
    return metadata


def _summary(facts: Facts) -> str:
    stored, definition = facts.checkpoint, facts.definition
    weights = sum(p.numel() for p in definition.network.parameters())
    text = (
        f"A network of architecture {code(stored.spec.model)} "
        f"({robustbench.architecture(facts)}), of {weights:,} parameters and "
        f"{definition.arguments['n_classes']} classes: checkpoint {code(stored.name)}"
    )
    settings = facts.settings
    if not facts.source:
        text += f", after epoch {stored.epoch} of {settings['epochs']}"
        if stored.step:
            text += f" and {stored.step} steps of the next"
        text += f", trained by rofit {_version(facts)}".rstrip()
    else:
        text += f", which rofit did not train: it is from {code(facts.source.title)}"
    return f"{text}. Exported by rofit {rofit.__version__}."


def _loading(facts: Facts) -> str:
    arguments = facts.definition.arguments
    text = _LOAD.format(**arguments)
    if arguments["mean"] is None:
        return (
            f"{text}\n\nNothing is normalised: images in [0, 1] are taken as they are."
        )
    mean, std = (
        ", ".join(f"{value:.6g}" for value in arguments[name])
        for name in ("mean", "std")
    )
    return (
        f"{text}\n\nNormalisation is the network's first layer, (x - mean) / std a "
        f"channel, mean {mean} and std {std} in input units: images are not to be "
        "normalised before."
    )


def _training(facts: Facts) -> str:
    settings, parts = facts.settings, []
    method = settings.get("method")
    if method in METHODS:
        about = (METHODS[method].__doc__ or "").strip().splitlines()[0]
        parts.append(f"Method {code(method)}: {about}")
    known = [
        f"{code(key)}: {code(_shown(key, value))}"
        for key, value in settings.items()
        if value not in ("", [], {})
    ]
    parts.append(bullets(known))
    if facts.source and facts.source.unknown:
        names = ", ".join(map(code, facts.source.unknown))
        parts.append(f"Not known, as the source does not say it: {names}.")
    made_with = facts.environment
    if made_with:
        versions = made_with.get("versions", {})
        lines = {
            "device": made_with.get("device"),
            "torch": versions.get("torch"),
            "CUDA": versions.get("cuda"),
            "commit of rofit": made_with.get("commit"),
            "digest of the images": made_with.get("data_digest"),
        }
        parts.append(
            "Made with:\n\n" + bullets(f"{k}: {code(v)}" for k, v in lines.items() if v)
        )
    return "\n\n".join(parts)


def _shown(key: str, value: Any) -> str:
    return in_255ths(value) if key in _LENGTHS else str(value)


def _version(facts: Facts) -> str:
    version = str(facts.environment.get("versions", {}).get("rofit", ""))
    return "" if version == "not installed" else code(version) if version else ""


def _robustbench(facts: Facts, claims: list[Claim]) -> str:
    if not claims:
        sentence = robustbench.missing(facts)
        return f"No claim: {code(sentence)}"
    files = ", ".join(code(claim.file) for claim in claims)
    return (
        f"{files}: fill in what is empty there (the paper, and what it reports) and "
        "call the file as RobustBench calls networks. `get_model.py` returns the "
        "network as `robustbench.benchmark` takes it."
    )
