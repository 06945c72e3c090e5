"""`rofit sweep`: the runs that train would make, in one table; nothing twice."""

import json

import pandas as pd
import pytest
from command_line import is_one_sentence, rofit
from made_up_logs import course, write_run
from rofit.figures import _style

from rofit.methods.resolve import described
from rofit.running import train as training
from rofit.settings.scales import SCALES
from rofit.settings.spec import RunSpec

COMMAND = ("sweep", "--method", "sglr", "--scale", "smoke")
SMOKE = SCALES["smoke"].apply(RunSpec(method="sglr"))
SWEPT = ("--set", "r=0.5,0.8", "--set", "seed=3..5", "--set", "epochs=1")


def _specs():
    """Return the runs of SWEPT by hand; 0.8 is the default and is left out."""
    params = ((("r", 0.5),), ())
    return [
        SMOKE.replace(method_params=pairs, seed=seed, epochs=1)
        for pairs in params
        for seed in (3, 4, 5)
    ]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A store in which all runs of SWEPT are done; no picture is written."""
    for number, spec in enumerate(_specs()):
        rows = []
        for split, base in (("val", 0.5), ("test", 0.25)):
            about = {"split": split, "attack": "pgd2", "metric": "accuracy", "n": 64}
            rows += course([base - number / 100], measured="epoch_end", **about)
        write_run(tmp_path / "runs", spec, rows)
        file = tmp_path / "runs" / spec.run_id / "spec.json"
        file.write_text(json.dumps(described(spec)))
        (file.parent / "digests.jsonl").unlink()
    monkeypatch.setattr(_style, "save", lambda figure, stem: None)
    return tmp_path


def test_runs_are_those_of_train_and_what_is_done_is_not_trained(home, monkeypatch):
    monkeypatch.setattr(training, "TrainingJob", None)  # no job is made
    answer = rofit(home, *COMMAND, *SWEPT, "--json")
    assert (answer.code, answer.err) == (0, "")
    printed = json.loads(answer.out)
    assert [(row["r"], row["seeds"], row["chosen"]) for row in printed["settings"]] == [
        (0.5, 3, True),
        (0.8, 3, False),
    ]
    assert [row["best"] for row in printed["settings"]] == [24.0, 21.0]
    assert printed["settings"][1]["minus_chosen 95 %"] == "-3.00 to -3.00"
    words = "best setting of 2: r=0.5, chosen on validation (mean of 3 seeds, 49.00 %"
    assert printed["best"].startswith(words)
    assert "test robust accuracy, which chose nothing: best 24.00 %" in printed["best"]


def test_table_and_manifest_lie_under_the_scale(home):
    answer = rofit(home, *COMMAND, *SWEPT)
    assert answer.code == 0, answer.err
    (folder,) = (home / "results" / "smoke").iterdir()
    assert folder.name.startswith("sweep-r-")
    table = pd.read_csv(folder / "table.csv")
    assert list(table["r"]) == [0.5, 0.8] and set(table["scale"]) == {"smoke"}
    manifest = json.loads((folder / "manifest.json").read_text())
    ids = [spec.run_id for spec in _specs()]
    assert manifest["runs"] == [ids[:3], ids[3:]]
    assert manifest["values"] == {"r": ["0.5", "0.8"]}
    assert manifest["seeds"] == [3, 4, 5]


def test_setting_that_diverges_is_left_out_and_said(tmp_path, monkeypatch):
    monkeypatch.setattr(_style, "save", lambda figure, stem: None)
    words = (*COMMAND, "--watch", "softness", "--set", "epochs=1")
    rates = ("--set", "lr=1e30,0.1", "--set", "seed=0,1")
    answer = rofit(tmp_path, *words, *rates, "--json", "--quiet")
    assert answer.code == 0
    said = "settings with a run that diverges are left out: 2 of 4 diverged: run sglr-"
    assert said in answer.err
    printed = json.loads(answer.out)
    assert [(row["lr"], row["seeds"]) for row in printed["settings"]] == [(0.1, 2)]
    (manifest,) = tmp_path.glob("results/smoke/*/manifest.json")
    ids = [SMOKE.replace(epochs=1, lr=1e30, seed=seed).run_id for seed in (0, 1)]
    assert json.loads(manifest.read_text())["diverged"] == ids


def test_sweep_whose_settings_all_diverge_is_an_error(tmp_path):
    words = (*COMMAND, "--watch", "softness", "--set", "epochs=1", "--seeds", "1")
    answer = rofit(tmp_path, *words, "--set", "lr=1e29,1e30", "--quiet")
    assert answer.code == 1 and "2 of 2 diverged" in answer.err
    assert not (tmp_path / "results").exists()


def test_dry_run_says_which_runs_are_missing_and_makes_nothing(tmp_path):
    words = (*COMMAND, "--set", "r=0.5,0.8", "--set", "lr=0.1,0.2", "--budget", "3")
    answer = rofit(tmp_path, *words, "--seeds", 2, "--dry-run")
    assert answer.code == 0
    assert "3 settings of 4, drawn, 6 runs" in answer.out
    assert answer.out.count("missing") == 6 and not list(tmp_path.iterdir())


REFUSED = {
    "--set r=0.5": "a sweep varies a field or more: --set FIELD=VALUE,VALUE",
    "--set q=1,2": "unknown field (of a run or of sglr) 'q'",
    "--set r=0.5,1/2": "r=0.5 and r=1/2 are the same run; give one",
    "--set r=0.5,2": "r must be at least 0 and at most 1, got 2",
    "--set r=0.5,": "r must be a number or a fraction (8/255), got ''",
    "--set r=0,1 --set val_size=0": "a sweep chooses on validation images",
    "--set r=0,1 --set seed=0,0": "seed 0 is there twice; give it once",
    "--set r=0,1 --set seed=a": "seed must be a whole number, got 'a'",
    "--set r=0,1 --set seed=1,2 --seeds 2": "--seeds and --set seed exclude each",
    "--set r=0,1 --seeds 501": "at most 1,000 runs; 2 settings of 501 seeds",
    "--set r=0,1 --budget 0": "Invalid value for '--budget'",
    "--set r=0,1 --wait": "--wait is for jobs of a cluster: add --on slurm",
}


@pytest.mark.parametrize("words", REFUSED)
def test_wrong_sweep_is_one_sentence_and_code_2(tmp_path, words):
    is_one_sentence(rofit(tmp_path, *COMMAND, *words.split()), REFUSED[words])
    assert not list(tmp_path.iterdir())
