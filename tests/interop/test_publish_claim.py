"""A claim for RobustBench is made where its evaluation was, and nowhere else."""

import json

import pytest
from publishable import TINY, evaluated, publishable, weights
from training_helpers import CPU

from rofit.interop.publish.facts import gather
from rofit.interop.publish.folder import publish
from rofit.interop.publish.robustbench import missing
from rofit.running.checkpoints import read_checkpoint
from rofit.running.checks import checks_file
from rofit.settings.spec import RunSpec
from rofit.store.source import Source

# RobustBench's model_info/cifar10/Linf/Rice2020Overfitting.json: its keys, their types
RICE_2020 = {
    "link": str,
    "name": str,
    "authors": str,
    "additional_data": bool,
    "number_forward_passes": int,
    "dataset": str,
    "venue": str,
    "architecture": str,
    "eps": str,
    "clean_acc": str,
    "reported": str,
    "autoattack_acc": str,
    "unreliable": bool,
}
FLAGS = "random_predictions probabilities dynamic zero_gradients black_box_wins".split()


def claim(folder, to, path):
    published = publish(folder, to)
    assert path in published.files and published.without == ""
    return json.loads((to / path).read_text())


def checked(folder, *, warnings=(), passed=tuple(FLAGS)):
    """Keep the checks for gradient masking of best."""
    best = read_checkpoint(folder.checkpoints / "best.pt", CPU)
    path = checks_file(best, folder, "linf", 8 / 255)
    report = {"warnings": dict.fromkeys(warnings, "so"), "passed": list(passed)}
    folder.write_json(path.relative_to(folder.path).as_posix(), report)


def test_claim_has_the_fields_of_robustbench_and_the_numbers_of_the_store(tmp_path):
    folder = publishable(tmp_path)
    evaluated(folder, "autoattack", 0.4567)
    checked(folder)
    path = f"model_info/cifar10/Linf/{folder.path.name}.json"
    fields = claim(folder, tmp_path / "to", path)
    assert {key: type(value) for key, value in fields.items()} == RICE_2020
    assert fields | {} == fields | {
        "additional_data": False,
        "number_forward_passes": 1,
        "dataset": "cifar10",
        "architecture": "PreActResNet of 4 channels and 1-1-1 blocks",
        "eps": "8/255",
        "clean_acc": "84.38",
        "autoattack_acc": "45.67",
        "unreliable": False,
    }
    assert not any(fields[key] for key in ("link", "name", "authors", "venue"))


def test_l2_and_linf_are_two_claims_and_one_get_model(tmp_path):
    folder = publishable(tmp_path)
    evaluated(folder, "autoattack", 0.5)
    evaluated(folder, "autoattack", 0.625, norm="l2", epsilon=0.5)
    fields = claim(
        folder, tmp_path / "to", f"model_info/cifar10/L2/{folder.path.name}.json"
    )
    assert (fields["eps"], fields["autoattack_acc"]) == ("0.5", "62.50")
    text = (tmp_path / "to" / "get_model.py").read_text()
    assert 'dataset="cifar10", threat_model="Linf", eps=8/255)' in text
    assert 'dataset="cifar10", threat_model="L2", eps=0.5)' in text
    names = {"__file__": str(tmp_path / "to" / "get_model.py")}
    exec(text, names)
    assert not names["get_model"]().training


@pytest.mark.parametrize(
    "raised, made, expected",
    [
        (["zero_gradients"], FLAGS, True),
        (["restarts_win"], FLAGS, False),  # no flag of AutoAttack's
        ([], FLAGS[:-1], None),  # a flag that was not looked at
    ],
)
def test_unreliable_is_whether_a_flag_of_autoattack_was_raised(
    tmp_path, raised, made, expected
):
    folder = publishable(tmp_path)
    evaluated(folder, "autoattack", 0.5)
    checked(folder, warnings=raised, passed=[n for n in made if n not in raised])
    path = f"model_info/cifar10/Linf/{folder.path.name}.json"
    assert claim(folder, tmp_path / "to", path).get("unreliable") is expected


@pytest.mark.parametrize("accuracies", [(0.5, 0.25), (0.25, 0.5)])
def test_of_two_seeds_the_lower_accuracy_is_claimed(tmp_path, accuracies):
    folder = publishable(tmp_path)
    for seed, accuracy in enumerate(accuracies):
        evaluated(folder, "autoattack", accuracy, seed=seed)
    path = f"model_info/cifar10/Linf/{folder.path.name}.json"
    assert claim(folder, tmp_path / "to", path)["autoattack_acc"] == "25.00"


def test_whether_an_imported_network_had_more_data_is_left_open(tmp_path):
    folder = publishable(tmp_path)
    source = Source("checkpoint", "theirs", "net.pt")
    spec = json.loads((folder.path / "spec.json").read_text())
    folder.write_json("spec.json", spec | {"source": source.as_dict()})
    evaluated(folder, "autoattack", 0.5)
    path = f"model_info/cifar10/Linf/{folder.path.name}.json"
    assert claim(folder, tmp_path / "to", path)["additional_data"] is None


@pytest.mark.parametrize(
    "model, name",
    [
        ("preact_resnet18", "PreActResNet-18"),
        ("wrn_10_1", "WideResNet-10-1"),
        ("resnet18", "ResNet-18"),
    ],
)
def test_architectures_are_called_as_the_field_does(tmp_path, model, name):
    folder = publishable(tmp_path, RunSpec(model=model, epochs=3), rows=[])
    evaluated(folder, "autoattack", 0.5)
    path = f"model_info/cifar10/Linf/{folder.path.name}.json"
    assert claim(folder, tmp_path / "to", path)["architecture"] == name


TAKES = (
    "autoattack, linf 8/255, on all 10,000 test images of cifar10 in fp32; of these "
)


@pytest.mark.parametrize(
    "about, there_is",
    [
        (None, "none"),
        ({"n": 9_999}, "linf 8/255 on 9,999 of them in fp32"),
        ({"epsilon": 4 / 255}, "linf 4/255 on 10,000 of them in fp32"),
        ({"norm": "l2", "epsilon": 8 / 255}, "l2 8/255 on 10,000 of them in fp32"),
        ({"precision": "tf32"}, "linf 8/255 on 10,000 of them in tf32"),
        ({"network": "of other weights"}, "none"),
        ({"kind": "apgd-ce"}, "none"),
    ],
)
def test_without_its_evaluation_there_is_no_claim_but_what_it_takes(
    tmp_path, about, there_is
):
    folder = publishable(tmp_path)
    if about is not None:
        evaluated(folder, "autoattack", 0.5, **about)
    published = publish(folder, tmp_path / "to")
    assert f"{TAKES}weights there is {there_is} (rofit eval " in published.without
    assert published.without in (tmp_path / "to" / "README.md").read_text()
    assert "get_model.py" not in published.files
    assert not (tmp_path / "to" / "model_info").exists()


@pytest.mark.parametrize(
    "spec, these",
    [
        (TINY.replace(dataset="svhn"), "those of 'svhn'"),
        (TINY.replace(dataset_digest="ab12"), "'cifar10' decoded from class folders"),
    ],
)
def test_other_images_than_a_leaderboards_make_no_claim(tmp_path, spec, these):
    folder = publishable(tmp_path, spec)
    evaluated(folder, "autoattack", 0.5)
    assert these in publish(folder, tmp_path / "to").without


def test_what_is_missing_on_cifar100_in_l2_is_its_one_leaderboard(tmp_path):
    spec = TINY.replace(dataset="cifar100", norm="l2", epsilon=0.5)
    folder = publishable(tmp_path, spec)
    assert "linf 8/255, on all 10,000 test images of cifar100" in missing(
        gather(folder, "best")
    )


def test_last_with_other_weights_takes_nothing_from_best(tmp_path):
    folder = publishable(tmp_path)
    weights(folder.checkpoints / "last.pt", TINY, 3, n_classes=11)
    evaluated(folder, "autoattack", 0.5)
    assert publish(folder, tmp_path / "best").without == ""
    assert "weights there is none" in publish(folder, tmp_path / "to", "last").without
