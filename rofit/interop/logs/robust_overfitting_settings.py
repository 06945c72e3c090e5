"""What the header of a log of locuslab/robust_overfitting says, in our words.

Only what it says: momentum, weight decay and the learning rate's drops stand in their
code and not in the log, and stay unknown. A method is named where every key of the
header is known here.
"""

import re
from typing import Any

from rofit.interop.logs.namespace import number

_MODELS = {"PreActResNet18": "preact_resnet18"}
_SAME = {"epochs": "epochs", "batch_size": "batch_size", "lr_max": "lr", "seed": "seed"}
_NORMS = {"l_inf": "linf", "l_2": "l2"}
_SMALLEST = 0.5  # of 255; below, it is a fraction, of a program that was changed
# All keys of these programs: with another one, it may be another method.
_KNOWN = set(
    "attack attack_iters attack_iters_test batch_size chkpt_iters cutout_len data_dir "
    "epochs epsilon eval fgsm_alpha fgsm_init fname half l1 l2 lr_drop_epoch lr_max "
    "lr_one_drop lr_schedule mixup_alpha model norm pgd_alpha restarts resume seed val "
    "width_factor cutout mixup awp_iter awp_size awp_gamma awp_warmup aux_path "
    "aux_take_amount".split()
)


def attacks(values: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return the attack of training and that of tests; None where it is not said.

    Both are ``none`` for standard training, whose "robust" columns are of clean images.
    """
    kind, steps = values.get("attack"), values.get("attack_iters")
    if kind == "none":
        return "none", "none"
    restarts = values.get("restarts", 1)
    times = f"x{restarts}" if restarts != 1 else ""
    testing = values.get("attack_iters_test", steps)
    pgd = None if steps is None else f"pgd{steps}{times}"
    training = {"pgd": pgd, "fgsm": "fgsm", "free": "free"}.get(str(kind))
    return training, None if testing is None else f"pgd{testing}{times}"


def settings_of(
    values: dict[str, Any], *, trained: bool
) -> tuple[dict[str, Any], list[str]]:
    """Return fields of RunSpec, and remarks.

    Args:
        values: the namespace, empty if there is none.
        trained: whether the log is of a training; one of evaluations alone says
            nothing of how its networks were trained.
    """
    if not values:
        return {}, ["it prints no settings"]
    settings: dict[str, Any] = {}
    remarks: list[str] = []
    if values.get("norm") in _NORMS:
        settings["norm"] = _NORMS[values["norm"]]
    if (epsilon := number(values, "epsilon")) is not None and epsilon >= _SMALLEST:
        settings["epsilon"] = epsilon / 255
    elif epsilon is not None:
        remarks.append(f"epsilon {epsilon} is not in units of 1/255: left unknown")
    if values.get("attack") != "none" and "attack_iters" in values:
        steps = values.get("attack_iters_test", values["attack_iters"])
        settings["eval_steps"] = steps
    if values.get("model") in _MODELS:
        settings["model"] = _MODELS[values["model"]]
    elif values.get("model") == "WideResNet" and "width_factor" in values:
        settings["model"] = f"wrn_34_{values['width_factor']}"
    if dataset := _dataset(values):
        settings["dataset"] = dataset
        remarks.append(f"dataset {dataset}: from the names of its folders")
    if not trained:
        return settings, [*remarks, "evaluations alone: the training is unknown"]
    settings |= {ours: values[name] for name, ours in _SAME.items() if name in values}
    settings |= _training_attack(values)
    if values.get("val") is False:
        settings["val_size"] = 0
    method, more = _method(values)
    return settings | method, [*remarks, *more]


def _training_attack(values: dict[str, Any]) -> dict[str, Any]:
    """Return steps and step size; one step of fgsm_alpha times epsilon for FGSM."""
    kind, steps = values.get("attack"), values.get("attack_iters")
    size = number(values, "pgd_alpha")
    if kind == "pgd" and steps is not None and size is not None:
        return {"attack_steps": steps, "step_size": size / 255}
    factor, epsilon = number(values, "fgsm_alpha"), number(values, "epsilon")
    if kind == "fgsm" and factor is not None and epsilon is not None:
        return {"attack_steps": 1, "step_size": factor * epsilon / 255}
    return {"attack_steps": 0} if kind == "none" else {}


def _method(values: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    if foreign := sorted(set(values) - _KNOWN):
        return {}, [f"method unknown: {', '.join(foreign)} is no setting known here"]
    if values.get("attack") not in ("pgd", "fgsm", "none"):
        return {}, [f"method unknown: attack {values.get('attack')!r}"]
    method = {"pgd": "pgd_at", "fgsm": "fast_at", "none": "standard"}[values["attack"]]
    params: dict[str, Any] = {}
    if values.get("awp_iter") or values.get("awp_gamma"):
        method = "awp" if method == "pgd_at" else f"{method}_awp"
        if gamma := values.get("awp_gamma", values.get("awp_size")):
            params["awp_gamma"] = gamma
        epochs, warm_up = number(values, "epochs"), number(values, "awp_warmup")
        if epochs and warm_up is not None:
            params["awp_start"] = warm_up / epochs
    for switch, parameter in (("cutout", "cutout_len"), ("mixup", "mixup_alpha")):
        if values.get(switch):
            method, params[parameter] = f"{method}_{switch}", values.get(parameter)
    if values.get("l1"):
        method, params["l1"] = f"{method}_l1", values["l1"]
    if values.get("aux_path"):
        method += "_extra_data"
    params = {name: value for name, value in params.items() if value is not None}
    settings: dict[str, Any] = {"method": method, "method_params": params}
    if not values.get("l2"):
        return settings, []
    spared = "weight decay (l2) spares biases and normalisation there"
    return settings | {"weight_decay": values["l2"]}, [spared]


def _dataset(values: dict[str, Any]) -> str | None:
    """Return the data set whose name stands in the names of folders, if one does."""
    folders = " ".join(str(values.get(key, "")) for key in ("fname", "data_dir"))
    names = set(re.findall(r"cifar100|cifar10|svhn", folders.lower()))
    return names.pop() if len(names) == 1 else None
