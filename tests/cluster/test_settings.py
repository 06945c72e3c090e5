"""rofit.toml and the flags in place of it."""

import pytest
from documents import TEXTS, blocks

from rofit.cluster.settings import FILE, SlurmSettings, minutes, read_settings
from rofit.errors import UserError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory; $ROFIT_HOME is beside it."""
    for name in ("here", "home"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("ROFIT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def _write(folder, text):
    (folder / FILE).write_text(f"[slurm]\n{text}\n")


def test_without_a_file_the_cluster_has_its_defaults(folder):
    assert read_settings({}) == SlurmSettings()
    assert SlurmSettings().sbatch() == {
        "time": 60,
        "array_parallelism": 256,
        "signal_delay_s": 90,
    }


def test_file_of_the_working_directory_comes_before_that_of_the_home(folder):
    _write(folder / "home", 'partition = "slow"\nmem = "8G"')
    assert read_settings({}).partition == "slow"
    _write(folder / "here", 'partition = "fast"')
    assert read_settings({}) == SlurmSettings(partition="fast")


def test_flags_replace_what_the_file_says_and_no_more(folder):
    _write(folder / "here", 'partition = "fast"\ntime = "1-12"\nsetup = ["a", "b"]')
    flags = {"partition": "slow", "gres": None, "setup": (), "time": "2:00:00"}
    assert read_settings(flags) == SlurmSettings(
        partition="slow", time=120, setup=("a", "b")
    )


def test_every_setting_of_jobs_is_one_that_submitit_takes(folder):
    submitit = pytest.importorskip("submitit")
    words = "partition gres mem account qos constraint exclude".split()
    numbers = "time array_parallelism cpus_per_task signal_delay_s shards gpus".split()
    lines = [f'{word} = "x"' for word in words] + [f"{word} = 7" for word in numbers]
    _write(folder / "here", "\n".join([*lines, 'setup = ["module load cuda"]']))
    sbatch = read_settings({}).sbatch()
    assert set(sbatch) == {*words, *numbers, "setup"} - {"shards", "gpus"}
    assert set(sbatch) <= submitit.SlurmExecutor._valid_parameters()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", 90),
        ("2:30", 2.5),
        ("4:00:00", 240),
        ("1-0", 1440),
        ("1-12:30", 2190),
        ("0-0:0:30", 0.5),
    ],
)
def test_times_are_those_of_slurm(text, expected):
    assert minutes(text) == expected


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('partitoin = "x"', "unknown key in rofit.toml 'partitoin'; did you mean part"),
        ("time = 0", "rofit.toml, [slurm] time expects a whole number of 1 or more"),
        ("time = 1.5", "expects a whole number of 1 or more, got 1.5"),
        ('time = "soon"', "[slurm] time expects minutes, H:M:S or D-H, got 'soon'"),
        ("shards = true", "[slurm] shards expects a whole number"),
        ("gres = 1", "[slurm] gres expects a text of one line, got 1"),
        ('gres = """a\nb"""', "[slurm] gres expects a text of one line"),
        ("setup = [1]", "[slurm] setup expects shell commands, got [1]"),
        ("gres = ", "rofit.toml cannot be read: "),
        ("[slum]", "unknown key in rofit.toml 'slum'"),
    ],
)
def test_what_cannot_be_used_of_a_file_is_one_sentence(folder, content, sentence):
    _write(folder / "here", content)
    with pytest.raises(UserError) as refused:
        read_settings({})
    assert sentence in str(refused.value)


def test_text_in_place_of_the_table_is_one_sentence(folder):
    (folder / "here" / FILE).write_text("slurm = 1")
    with pytest.raises(UserError, match=r"expects a table \[slurm\], got 1"):
        read_settings({})


def test_flag_that_cannot_be_used_is_named_as_typed(folder):
    with pytest.raises(UserError, match="^--array-parallelism expects a whole number"):
        read_settings({"array_parallelism": 0})


def test_file_of_the_documentation_is_one(folder):
    (text,) = blocks(TEXTS["docs/cluster.md"], "toml")
    (folder / "here" / FILE).write_text(text)
    settings = read_settings({})
    assert (settings.time, settings.shards) == (240, 8)
