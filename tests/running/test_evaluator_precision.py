"""In which precision networks are evaluated, and what is kept of that."""

import json

import pytest
import torch
from evaluated_runs import SPEC, evaluated, how

from rofit.evaluation.cases import read_cases
from rofit.running.checks import check, checks_file
from rofit.running.evaluator import evaluate_cases
from rofit.store.evaluations import evaluations, rows


@pytest.fixture
def flags():
    """Return a function that tells whether TF32 is allowed; put that back."""
    backends = (torch.backends.cudnn, torch.backends.cuda.matmul)

    def read_flags():
        return tuple(backend.allow_tf32 for backend in backends)

    before = read_flags()
    yield read_flags
    for backend, allowed in zip(backends, before, strict=True):
        backend.allow_tf32 = allowed


def test_evaluation_is_in_fp32_whatever_the_process_did_before(
    subject, tmp_path, flags
):
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    recorded = []
    handle = subject.network.register_forward_hook(lambda *_: recorded.append(flags()))
    evaluated(subject, tmp_path, "clean")
    handle.remove()
    assert recorded and set(recorded) == {(False, False)}


def test_tf32_is_allowed_for_its_own_cases_and_kept_beside_those_of_fp32(
    subject, tmp_path, flags
):
    """On the CPU the flags are all there is to see; numbers are the same."""
    recorded = []
    handle = subject.network.register_forward_hook(lambda *_: recorded.append(flags()))
    folder, _ = evaluated(subject, tmp_path, "clean", "pgd3")
    files = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    assert recorded and set(recorded) == {(False, False)}
    recorded.clear()
    cases = read_cases(["clean", "pgd3"], SPEC, n=16, precision="tf32")
    assert evaluate_cases(subject, folder, cases, how())
    handle.remove()
    assert recorded and set(recorded) == {(True, True)}
    assert {path: path.read_bytes() for path in files} == files
    made = {r["attack"]: r for r in evaluations(folder)}
    assert made.keys() == {"none", "pgd3", "none-tf32", "pgd3-tf32"}
    assert made["pgd3-tf32"]["precision"] == "tf32" and "precision" not in made["pgd3"]
    assert made["pgd3-tf32"]["name"].startswith("last-pgd3-tf32-")
    named = {row["attack"]: row["value"] for row in rows(folder)}
    assert named == {attack: result["accuracy"] for attack, result in made.items()}


def test_checks_compare_evaluations_of_one_precision(subject, tmp_path, flags):
    folder, _ = evaluated(subject, tmp_path, "clean")
    cases = read_cases(["clean", "pgd3"], SPEC, n=16, precision="tf32")
    evaluate_cases(subject, folder, cases, how())
    for precision, compared in (("fp32", ["none"]), ("tf32", ["none", "pgd3"])):
        checks = check(subject, folder, SPEC.norm, SPEC.epsilon, precision)
        assert ("robust_near_clean" in checks) == (precision == "tf32")
        assert flags() == (precision == "tf32",) * 2
        path = checks_file(subject, folder, SPEC.norm, SPEC.epsilon, precision)
        assert json.loads(path.read_text())["compared"] == compared
    names = {path.stem for path in (tmp_path / "evaluations").glob("last-checks-*")}
    usual, other = sorted(names, key=len)
    assert other == f"{usual}-tf32"
