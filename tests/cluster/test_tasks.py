"""Which tasks go into which array, and which are left out."""

from dataclasses import dataclass

from rofit.cluster.states import TRAINING
from rofit.cluster.tasks import Task, arrays, evaluation_tasks, lacking, training_tasks
from rofit.methods.resolve import all_teachers
from rofit.reproduction.jobs import jobs_of
from rofit.reproduction.plan import Request, plan
from rofit.store.runs import RunStore

SETTINGS = {"device": "cpu", "engine": "eager", "quiet": True, "log_to": ()}


@dataclass(frozen=True)
class _Work:
    name: str
    is_done: bool = False


def _task(name, *after, done=False):
    keys = tuple((other, TRAINING) for other in after)
    return Task(name, TRAINING, _Work(name, done), keys)


def _names(levels):
    return [[task.run for task in level] for level in levels]


def _table(tmp_path, name="table2_remedies"):
    """Return the runs of an analysis at smoke scale, and what they lack as tasks."""
    request = Request(name, "smoke")
    specs, store = plan(request), RunStore(tmp_path / "runs")
    trainings, evaluations = jobs_of(
        request, specs, store, data=tmp_path, deterministic=False, **SETTINGS
    )
    return specs, training_tasks(trainings, 1), evaluation_tasks(evaluations, 2)


def test_a_task_stands_in_the_first_array_after_all_it_waits_for():
    tasks = [_task("c", "b", "a"), _task("b", "a"), _task("a"), _task("d", "gone")]
    assert _names(arrays(tasks)) == [["a", "d"], ["b"], ["c"]]
    assert arrays([]) == []


def test_done_and_queued_tasks_are_left_out_and_none_is_there_twice():
    tasks = [_task("a"), _task("b", done=True), _task("c"), _task("a")]
    assert [task.run for task in lacking(tasks, {("c", TRAINING)})] == ["a"]
    assert [task.run for task in lacking(tasks, {("c", "evaluation")})] == ["a", "c"]


def test_runs_that_others_learn_from_are_submitted_first(tmp_path):
    specs, trainings, _ = _table(tmp_path)
    first, second = _names(arrays(trainings))
    taught = {spec.run_id for spec in specs if all_teachers([spec])}
    assert set(second) == taught and taught
    teachers = all_teachers(specs)
    assert set(first) == {spec.run_id for spec in {*specs, *teachers}} - taught


def test_evaluations_of_a_run_are_so_many_shards_after_its_training(tmp_path):
    specs, _, evaluations = _table(tmp_path)
    assert len(evaluations) == 2 * len(specs)
    assert [task.work.shard for task in evaluations[:2]] == [(1, 2), (2, 2)]
    assert len(lacking(evaluations, set())) == len(evaluations)
    for task in evaluations:
        assert task.after == ((task.run, TRAINING),)


def test_transfer_waits_for_the_network_that_it_comes_from(tmp_path):
    specs, trainings, evaluations = _table(tmp_path, "table5_attacks")
    by_run = {spec.run_id: spec for spec in specs}
    for task in evaluations:
        source = task.work.source
        runs = [task.run, *([source.path.name] if source else [])]
        assert [run for run, _ in task.after] == runs
    plain = next(s.run_id for s in by_run.values() if s.method == "pgd_at")
    others = [task for task in evaluations if task.run != plain]
    assert all((plain, TRAINING) in task.after for task in others) and others


def test_evaluations_of_one_run_by_other_attacks_come_one_after_another(tmp_path):
    _, _, first = _table(tmp_path)
    job = first[0].work
    again = [job, type(job)(job.folder, None, ("fgsm",), **_fields(job))]
    one, other = evaluation_tasks(again, 1)
    assert one.key not in one.after and one.key in other.after
    assert len(arrays([one, other])) == 2


def _fields(job):
    names = ("longest", "data", "device", "engine", "quiet")
    return {name: getattr(job, name) for name in names}
