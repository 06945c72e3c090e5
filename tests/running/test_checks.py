"""What checks for gradient masking are given: the network, its ball, its verdicts."""

import json
from dataclasses import replace

import pytest
from evaluated_runs import SPEC, evaluated

from rofit.evaluation import masking
from rofit.evaluation.masking import PROBES
from rofit.running.checks import check
from rofit.settings.threat import ThreatModel
from rofit.store.evaluations import evaluations, read_verdicts


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.1), ("l2", 0.5)])
def test_checks_probe_this_network_in_the_ball_that_is_asked_for(
    subject, tmp_path, monkeypatch, norm, epsilon
):
    folder, _ = evaluated(subject, tmp_path, "clean", n=16)
    evaluated(subject, tmp_path, "pgd3", n=12)
    verdicts_of = {r["attack"]: r["name"] for r in evaluations(folder)}
    probed, compared = [], []
    monkeypatch.setattr(masking, "probe", lambda *about: probed.append(about) or {})
    monkeypatch.setattr(masking, "compare", lambda left: compared.append(left) or {})
    check(subject, folder, norm, epsilon)
    ((network, images, threat),) = probed
    assert network is subject.network and images is subject.images
    assert threat == ThreatModel(norm, epsilon)
    check(subject, folder, SPEC.norm, SPEC.epsilon)
    by_clean, by_pgd = (
        (read_verdicts(folder, verdicts_of[name])["fooled_by"] == "").tolist()
        for name in ("none", "pgd3")
    )
    other, own = (
        {name: kept.tolist() for name, kept in left.items()} for left in compared
    )
    assert other == {"none": by_clean}, "pgd3 was made in another ball"
    assert own == {"none": by_clean[:12], "pgd3": by_pgd} and len(by_pgd) == 12


def test_checks_compare_what_this_network_has_inside_this_radius(subject, tmp_path):
    other = replace(subject, name="best", digest="ab12")
    evaluated(other, tmp_path, "pgd2")
    evaluated(subject, tmp_path, "pgd4@0.1")
    evaluated(subject, tmp_path, "clean", n=16)
    folder, _ = evaluated(subject, tmp_path, "pgd3", n=12)
    checks = check(subject, folder, SPEC.norm, SPEC.epsilon)
    assert checks.keys() == {*PROBES, "robust_near_clean"} and not any(checks.values())
    (path,) = (tmp_path / "evaluations").glob("last-checks-*.json")
    record = json.loads(path.read_text())
    assert (record["checkpoint"], record["epoch"]) == ("last", 2)
    assert (record["norm"], record["epsilon"]) == ("linf", SPEC.epsilon)
    assert (record["compared"], record["images compared"]) == (["none", "pgd3"], 12)
    assert (record["warnings"], record["passed"]) == ({}, [*checks])
    assert len(evaluations(folder)) == 4, "checks are no evaluation"


def test_checks_keep_their_warnings_in_words(subject, tmp_path):
    folder, _ = evaluated(subject, tmp_path, "clean", "pgd1@0.0001", n=64)
    checks = check(subject, folder, "linf", 0.0001)
    assert "costs 0.0 points of the clean accuracy" in checks["robust_near_clean"]
    (path,) = (tmp_path / "evaluations").glob("last-checks-*.json")
    record = json.loads(path.read_text())
    assert record["warnings"] == {"robust_near_clean": checks["robust_near_clean"]}
    assert record["passed"] == list(PROBES)
