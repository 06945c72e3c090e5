"""Every sink, fed by a finished run and read back: each number once, and the same."""

import subprocess
import sys
from importlib.util import find_spec

import pytest
from command_line import is_one_sentence, rofit
from sink_readers import (
    EVERY_SINK,
    INSTALLED,
    READERS,
    assert_same,
    expected_rows,
    named,
    settings_of,
)
from training_helpers import train

from rofit import sinks
from rofit.diagnostics import DIAGNOSTICS
from rofit.errors import UserError
from rofit.sinks import SINKS, feed
from rofit.store.runs import RunFolder

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of packages


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder for what sinks write; trackio and W&B read theirs once a process."""
    place = tmp_path_factory.mktemp("sinks")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings_of(place).items():
            patch.setenv(name, value)
        if "wandb" in sys.modules:  # it has read those of an earlier test
            sys.modules["wandb"].teardown()
        yield place


@pytest.fixture(scope="module")
def run(tmp_path_factory, smoke_spec):
    """The folder of a run that all diagnostics have watched."""
    spec = smoke_spec(method="standard", epochs=3, label_noise=0.3, seed=11)
    folder, _ = train(spec, tmp_path_factory.mktemp("run"), diagnostics=DIAGNOSTICS)
    return folder


def test_every_sink_has_a_reader_here():
    assert sorted(READERS) == sorted(SINKS)


def test_a_name_is_of_one_number_an_epoch(run):
    rows = expected_rows(run)
    assert len(rows) > 300
    assert len({row[:2] for row in rows}) == len(rows)
    names = {name for name, *_ in rows}
    assert {"train/gradient_norm", "test/pgd2/accuracy", "train/none/loss"} <= names


@pytest.mark.parametrize("sink", EVERY_SINK)
def test_a_run_is_read_back_whole_and_feeding_it_twice_adds_nothing(sink, run, place):
    expected = expected_rows(run)
    assert feed(run, named(sink, place)) == len(expected)
    assert_same(sink, READERS[sink](place, run.path.name), expected)
    assert feed(run, named(sink, place)) == 0
    assert_same(sink, READERS[sink](place, run.path.name), expected)


@pytest.mark.parametrize("sink", EVERY_SINK)
def test_what_a_sink_lacks_is_added(sink, place, tmp_path, smoke_spec):
    """Of an epoch that was fed in part as well, where the sink takes parts."""
    spec = smoke_spec(epochs=4, seed=12 + sorted(SINKS).index(sink))
    run, _ = train(spec, tmp_path, stop_after=4)
    text = (run.path / "epochs.jsonl").read_text()
    parts = sink not in ("trackio", "wandb")  # an epoch is one entry there
    lines = text.splitlines(keepends=True)
    begun = next(n for n, line in enumerate(lines) if '"epoch": 2' in line)
    (run.path / "epochs.jsonl").write_text("".join(lines[: begun + 3 * parts]))
    (run.path / "digests.jsonl").unlink()
    assert feed(run, named(sink, place)) == begun + 3 * parts
    (run.path / "epochs.jsonl").write_text(text)
    assert feed(run, named(sink, place)) == len(lines) - begun - 3 * parts
    expected = expected_rows(run)
    assert_same(sink, READERS[sink](place, run.path.name), expected)


def test_what_is_not_finite_is_not_changed(tmp_path, place, smoke_spec):
    run, _ = train(smoke_spec(epochs=1, seed=40), tmp_path)
    row = '{"epoch": 1, "split": "test", "metric": "%s", "value": %s}\n'
    values = {"nothing": "null", "nan": "NaN", "inf": "Infinity", "low": "-Infinity"}
    (run.path / "epochs.jsonl").write_text(
        "".join(row % pair for pair in values.items())
    )
    (run.path / "digests.jsonl").unlink()
    (run.path / "epochs.parquet").unlink()
    for sink in INSTALLED:
        assert feed(run, named(sink, place)) == 4
        rows = {name: v for name, _, v in READERS[sink](place, run.path.name)}
        assert [*rows] and str(float(rows["test/nan"])) == "nan", sink
        assert str(float(rows["test/nothing"])) == "nan"
        if sink != "mlflow":  # whose databases take the largest float for it
            assert (float(rows["test/inf"]), float(rows["test/low"])) == (
                float("inf"),
                -float("inf"),
            )


def test_a_damaged_log_goes_to_no_sink(run, tmp_path):
    copy = RunFolder(tmp_path / run.path.name)
    copy.path.mkdir()
    for name in ("epochs.jsonl", "digests.jsonl", "spec.json"):
        (copy.path / name).write_bytes((run.path / name).read_bytes())
    lines = (copy.path / "epochs.jsonl").read_text().splitlines(keepends=True)
    (copy.path / "epochs.jsonl").write_text("".join(lines[1:]))
    with pytest.raises(UserError, match="has lost the rows of epoch 1, and goes to no"):
        feed(copy, f"csv:{tmp_path / 'csv'}")
    assert not (tmp_path / "csv").exists()


def test_a_line_that_a_kill_has_torn_is_written_anew(run, tmp_path):
    feed(run, f"csv:{tmp_path / 'csv'}")
    (path,) = (tmp_path / "csv").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    assert feed(run, f"csv:{tmp_path / 'csv'}") == 1
    assert path.read_bytes() == whole


def test_a_sink_that_fails_is_one_sentence(run, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"^csv:\S+ failed \(FileExistsError: "):
        feed(run, f"csv:{tmp_path / 'file'}")


@pytest.mark.parametrize("spec", [None, "folder"])
def test_package_that_is_missing_is_said_before_anything_is_trained(
    tmp_path, monkeypatch, spec
):
    """A folder of its name, as W&B makes one, is no package."""
    (tmp_path / "wandb").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    monkeypatch.setattr(
        sinks, "find_spec", lambda name: spec and find_spec("namespace_package")
    )
    if spec:
        (tmp_path / "namespace_package").mkdir()
        assert find_spec("namespace_package") is not None
    answer = rofit(tmp_path, "train", "--scale", "smoke", "--log-to", "wandb")
    assert answer.code == 2 and "Traceback" not in answer.err
    assert answer.err.splitlines()[-1] == (
        "rofit: wandb needs the package wandb, which is not installed: "
        "pip install 'rofit[wandb]'"
    )
    assert not (tmp_path / "runs").exists()


def test_unknown_sink_is_refused_with_the_nearest(tmp_path):
    words = ("train", "--scale", "smoke", "--quiet", "--json", "--log-to", "tensorbord")
    sentence = "unknown sink 'tensorbord'; did you mean tensorboard?"
    is_one_sentence(rofit(tmp_path, *words), sentence)


def test_no_sink_is_imported_before_it_is_named(tmp_path):
    names = {package for sink in SINKS.values() for package in sink.NEEDS}
    code = f"""
import sys
from rofit import sinks
from rofit.sinks import live
from rofit.running import train
print(sorted({names!r} & set(sys.modules)), "torch.utils.tensorboard" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("[] False\n", "")
