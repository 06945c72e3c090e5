"""AutoAttack of two or three classes: the stages that there are, under their names."""

from dataclasses import replace

import pytest
from evaluated_runs import Doubled, evaluated
from torch import nn

from rofit.commands.evaluation import accuracy_rows
from rofit.errors import UserError
from rofit.evaluation.cases import read_cases
from rofit.evaluation.verdicts import EvaluationImages
from rofit.running.checks import check
from rofit.running.evaluate import COLUMNS, evaluation_rows
from rofit.store.evaluations import evaluations, read_verdicts

pd = pytest.importorskip("pandas")
pytest.importorskip("pyautoattack")
STAGES = ("apgd-ce", "fab-t", "square")
TOGETHER = "apgd-ce+fab-t+square"
EPSILON = 0.15


class FirstClasses(nn.Module):
    """A network's logits of the first classes alone."""

    def __init__(self, network, n_classes):
        super().__init__()
        self.network, self.n_classes = network, n_classes

    def forward(self, x):
        return self.network(x)[:, : self.n_classes]


@pytest.fixture(params=[2, 3])
def few(request, subject):
    """The run's network and test images, of the first two or three classes."""
    n_classes, images = request.param, subject.images
    rows = (images.y < n_classes).nonzero().flatten()
    return replace(
        subject,
        network=FirstClasses(subject.network, n_classes),
        n_classes=n_classes,
        images=EvaluationImages(
            images.x[rows], images.y[rows], [images.index[row] for row in rows]
        ),
    )


def tables(folder):
    """Return the verdicts of all evaluations there, by attack and position."""
    return {
        result["attack"]: read_verdicts(folder, result["name"]).set_index("index")
        for result in evaluations(folder)
    }


def test_stages_that_can_run_do_and_the_result_says_which_cannot(few, tmp_path):
    n = len(few.images.y)
    folder, done = evaluated(few, tmp_path, f"autoattack@{EPSILON}", n=n)
    assert done
    (result,) = evaluations(folder)
    assert result["attack"] == result["kind"] == TOGETHER
    assert list(result["after"]) == ["clean", *STAGES]
    assert result["left_out"] == (
        f"apgd-t, whose loss needs at least 4 classes, got {few.n_classes}"
    )
    cases = read_cases(
        [f"autoattack@{EPSILON}"], few.spec, n=n, n_classes=few.n_classes
    )
    rows = evaluation_rows(few, folder, cases, done)
    assert {*rows[0]} <= {*COLUMNS, "number", "restarts", "step_size", "seed", "source"}
    printed = accuracy_rows(pd.DataFrame(rows, columns=COLUMNS), folder)
    assert [row["attack"] for row in printed] == [
        TOGETHER,
        *(f"  after {stage}" for stage in STAGES),
        f"  without {result['left_out']}",
    ]
    assert printed[-1]["accuracy %"] is None
    report = check(few, folder, "linf", EPSILON)
    assert report["black_box_wins"] == ""


def test_verdicts_are_those_of_its_stages_alone_in_turn(few, tmp_path):
    n = len(few.images.y)
    names = [f"{name}@{EPSILON}" for name in ("autoattack", *STAGES)]
    names[-1] = f"square5000@{EPSILON}"
    folder, _ = evaluated(few, tmp_path, *names, n=n)
    by_attack = tables(folder)
    assert by_attack.keys() == {TOGETHER, *STAGES[:2], "square5000"}
    for image, verdict in by_attack[TOGETHER]["fooled_by"].items():
        alone = [by_attack[name].loc[image, "fooled_by"] for name in STAGES[:2]]
        alone.append(by_attack["square5000"].loc[image, "fooled_by"])
        assert verdict == next(filter(None, alone), "")
    accuracy = (by_attack[TOGETHER]["fooled_by"] == "").mean()
    assert 0 < accuracy < 1


def test_the_targeted_attack_by_its_own_name_is_refused(few, tmp_path):
    with pytest.raises(UserError, match="apgd-t needs at least 4 classes, got"):
        evaluated(few, tmp_path, f"apgd-t@{EPSILON}", n=4)


def test_ten_classes_have_autoattack_whole(subject, tmp_path):
    folder, _ = evaluated(subject, tmp_path, f"autoattack@{EPSILON}", n=2)
    (result,) = evaluations(folder)
    assert result["attack"] == "autoattack" and "left_out" not in result
    assert isinstance(subject.network, Doubled)
