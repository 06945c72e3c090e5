"""The claim that RobustBench lists a network by, where its evaluation was made.

    model_info/<dataset>/<threat>/<name>.json

Source: RobustBench 1.1.1 (commit 78fcc9e), robustbench/leaderboard/template.py and the
files under model_info/: the fields, all numbers as texts.
Differs: ``unreliable``, whether a flag of AutoAttack was raised, is left out where the
checks for gradient masking were not made; RobustBench then says "Unknown".
"""

import json
import re
from typing import Any, NamedTuple

from rofit.errors import quoted
from rofit.interop.publish.facts import Facts
from rofit.interop.publish.markdown import in_255ths, per_cent
from rofit.running.checks import read_checks

# Data set -> norm -> the threat's name and radius on the leaderboard.
THREATS = {
    "cifar10": {"linf": ("Linf", 8 / 255), "l2": ("L2", 0.5)},
    "cifar100": {"linf": ("Linf", 8 / 255)},
}
TEST_IMAGES = 10_000  # of either
# The checks for gradient masking that are AutoAttack's flags.
_FLAGS = {
    "random_predictions",
    "probabilities",
    "dynamic",
    "zero_gradients",
    "black_box_wins",
}
_GET_MODEL = '''"""get_model() returns the network of this folder for RobustBench.

    from robustbench import benchmark
{calls}
"""

import runpy
from pathlib import Path


def get_model():
    """Return the network in eval mode: images (B, C, H, W) in [0, 1] to logits."""
    return runpy.run_path(str(Path(__file__).with_name("load.py")))["load"]()
'''


class Claim(NamedTuple):
    """One line of a leaderboard.

    Attributes:
        file: where RobustBench has it, relative to its checkout.
        fields: its content.
    """

    file: str
    fields: dict[str, Any]


def claims(facts: Facts) -> list[Claim]:
    """Return a claim for each leaderboard whose evaluation these weights have.

    Empty texts, and None for ``additional_data`` where a run's source is another
    program, are for the user to fill in.
    """
    made = []
    for norm, (threat, radius) in _leaderboards(facts).items():
        results = [
            result
            for result in _autoattacks(facts)
            if result["norm"] == norm
            and abs(result["epsilon"] - radius) < 1e-9
            and result["n"] == TEST_IMAGES
            and result.get("precision", "fp32") == "fp32"
        ]
        if results:  # of several seeds the one that fools most
            worst = min(results, key=lambda result: float(result["accuracy"]))
            file = f"{facts.checkpoint.spec.dataset}/{threat}/{facts.run_id}.json"
            made.append(Claim(f"model_info/{file}", _fields(facts, worst)))
    return made


def missing(facts: Facts) -> str:
    """Return a sentence: what a claim would take that there is not."""
    spec, boards = facts.checkpoint.spec, _leaderboards(facts)
    if not boards:
        kind = " decoded from class folders" if spec.dataset_digest else ""
        return (
            f"a RobustBench claim takes the images of {' or '.join(THREATS)}; "
            f"these are those of {quoted(spec.dataset)}{kind}"
        )
    norm = spec.norm if spec.norm in boards else "linf"
    radius = in_255ths(boards[norm][1])
    there_is = [
        f"{r['norm']} {in_255ths(r['epsilon'])} on {r['n']:,} of them in "
        + str(r.get("precision", "fp32"))
        for r in _autoattacks(facts)
    ]
    command = (
        f"rofit eval {facts.run_id} --checkpoint {facts.checkpoint.name} "
        f"--attack autoattack --norm {norm} --epsilon {radius}"
    )
    return (
        f"a RobustBench claim takes autoattack, {norm} {radius}, on all "
        f"{TEST_IMAGES:,} test images of {spec.dataset} in fp32; of these weights "
        f"there is {'; '.join(there_is) or 'none'} ({command})"
    )


def as_text(claim: Claim) -> str:
    """Return the content of the claim's file, as RobustBench writes its own."""
    return json.dumps(claim.fields, indent=2) + "\n"


def get_model_source(made: list[Claim]) -> str:
    """Return get_model.py: the network, as `robustbench.benchmark` takes it."""
    calls = []
    for claim in made:
        dataset, threat = claim.file.split("/")[1:3]
        calls.append(
            f'    benchmark(get_model(), dataset="{dataset}", threat_model="{threat}", '
            f"eps={claim.fields['eps']})"
        )
    return _GET_MODEL.format(calls="\n".join(calls))


def _leaderboards(facts: Facts) -> dict[str, tuple[str, float]]:
    """Return norm -> threat and radius for the images that evaluations are made of.

    Class folders have a digest: whatever their name, they are other files.
    """
    spec = facts.checkpoint.spec
    return {} if spec.dataset_digest else THREATS.get(spec.dataset, {})


def _autoattacks(facts: Facts) -> list[dict[str, Any]]:
    return [r for r in facts.evaluations if r["kind"] == "autoattack"]


def _fields(facts: Facts, result: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        **dict.fromkeys(("link", "name", "authors"), ""),
        # rofit trains on the images of the data set alone; of others it is not known.
        "additional_data": None if facts.source else False,
        "number_forward_passes": 1,
        "dataset": facts.checkpoint.spec.dataset,
        "venue": "",
        "architecture": architecture(facts),
        "eps": in_255ths(result["epsilon"]),
        "clean_acc": per_cent(result["after"]["clean"]),
        "reported": "",
        "autoattack_acc": per_cent(result["accuracy"]),
    }
    checks = read_checks(
        facts.checkpoint, facts.folder, result["norm"], result["epsilon"]
    )
    if checks and _FLAGS <= {*checks["passed"], *checks["warnings"]}:
        fields["unreliable"] = bool(_FLAGS & set(checks["warnings"]))
    return fields


def architecture(facts: Facts) -> str:
    """Return the network's name as the field writes it: ``WideResNet-34-10``."""
    spec = facts.checkpoint.spec
    wide = re.fullmatch(r"wrn_(\d+)_(\d+)", spec.model)
    if wide:
        return f"WideResNet-{wide[1]}-{wide[2]}"
    if spec.model == "resnet18":
        return "ResNet-18"
    arguments = facts.definition.arguments
    if spec.model == "preact_resnet18" and not (spec.width or spec.blocks):
        return "PreActResNet-18"
    blocks = "-".join(map(str, arguments["blocks"]))
    return f"PreActResNet of {arguments['width']} channels and {blocks} blocks"
