"""What a number was made with is noted, and nothing that names a machine."""

import json
import platform
import subprocess

import pytest

from rofit import __version__
from rofit.store import environment


def test_versions_are_those_of_the_packages_that_numbers_depend_on():
    import numpy
    import torch

    versions = environment.versions()
    assert versions["python"] == platform.python_version()
    assert torch.__version__.startswith(versions["torch"].partition("+")[0])
    assert (versions["numpy"], versions["rofit"]) == (numpy.__version__, __version__)


def test_libraries_of_a_gpu_are_named_where_one_was_used_and_nowhere_else(monkeypatch):
    import torch

    on_cpu = environment.versions()
    assert not {"cuda", "cudnn"} & set(on_cpu)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    libraries = {
        "cuda": str(torch.version.cuda),
        "cudnn": str(torch.backends.cudnn.version()),
    }
    assert environment.versions() == on_cpu | libraries


def test_package_that_is_not_installed_is_said_to_be_so(monkeypatch):
    monkeypatch.setattr(environment, "_PACKAGES", ("no-such-package-of-rofit",))
    assert environment.versions()["no-such-package-of-rofit"] == "not installed"


def test_environment_names_kinds_of_things_and_no_machine_or_folder():
    recorded = environment.environment("cpu", 2)
    assert set(recorded) == {"versions", "commit", "system", "device", "threads"}
    assert (recorded["device"], recorded["threads"]) == ("cpu", 2)
    assert recorded["system"] == f"{platform.system()} {platform.machine()}"
    assert "/" not in json.dumps(recorded)


@pytest.fixture
def git(monkeypatch):
    """A function that lets git answer from a table of its sub-commands."""

    def answer(table: dict[str, str]) -> None:
        def run(words, **_):
            output = table.get(words[3])
            if output is None:
                raise subprocess.CalledProcessError(128, words)
            return subprocess.CompletedProcess(words, 0, stdout=output + "\n")

        monkeypatch.setattr(subprocess, "run", run)

    return answer


@pytest.mark.parametrize(
    ("changed", "mark"), [("", ""), (" M rofit/settings/spec.py", "+")]
)
def test_commit_is_marked_where_the_checkout_was_changed(git, changed, mark):
    git({"rev-parse": "0123456789ab", "ls-files": "environment.py", "status": changed})
    assert environment.commit() == f"0123456789ab{mark}"


def test_commit_of_another_project_around_an_installed_wheel_is_not_taken(git):
    git({"rev-parse": "0123456789ab", "status": ""})  # ls-files --error-unmatch fails
    assert environment.commit() == ""


def test_commit_is_empty_without_git(monkeypatch):
    def no_git(*_, **__):
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", no_git)
    assert environment.commit() == ""
