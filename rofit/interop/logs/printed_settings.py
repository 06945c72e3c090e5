"""The header of programs whose ``epsilon`` and ``step_size`` are in input units.

TRADES, MART, SGLS, SAT and others share their names of settings. Their evaluation is
written into their code, so its steps are known of SGLS alone, which takes the same.
"""

from typing import Any

from rofit.interop.logs.namespace import number

_SAME = {
    "epochs": "epochs",
    "batch_size": "batch_size",
    "lr": "lr",
    "momentum": "momentum",
    "weight_decay": "weight_decay",
    "seed": "seed",
    "epsilon": "epsilon",
    "num_steps": "attack_steps",
    "step_size": "step_size",
}
_MODELS = {"resnet18": "resnet18", "wrn34": "wrn_34_10"}
_DATASETS = ("cifar10", "cifar100", "svhn")


def settings_of(values: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return fields of RunSpec, and remarks."""
    if not values:
        return {}, ["it prints no settings"]
    settings = {ours: values[name] for name, ours in _SAME.items() if name in values}
    settings = {key: value for key, value in settings.items() if value is not None}
    remarks = []
    epsilon = number(values, "epsilon")
    if epsilon is not None and epsilon > 1:
        del settings["epsilon"]
        remarks.append(f"epsilon {epsilon} is not in input units: left unknown")
    arch = str(values.get("arch", values.get("model", "")))
    if arch in _MODELS:
        settings["model"] = _MODELS[arch]
    if values.get("dataset") in _DATASETS:
        settings["dataset"] = values["dataset"]
    return settings, remarks
