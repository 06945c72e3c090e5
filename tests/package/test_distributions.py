"""What is published installs: wheel and sdist hold what they should, beside others."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from rofit import __version__

ROOT = Path(__file__).parents[2]
STEM = f"rofit-{__version__}"


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """Wheel and sdist of a copy of what git would take, which the build changes."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("dist")
    listed = _run("git", "ls-files", "--cached", "--others", "--exclude-standard")
    if listed.returncode:
        pytest.skip("NOT RUN: this is no git checkout")
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    build = (sys.executable, "-m", "build", "--no-isolation", "--outdir", out, copy)
    done = _run(*build)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_wheel_has_the_packages_and_nothing_else(dist):
    names = zipfile.ZipFile(dist / f"{STEM}-py3-none-any.whl").namelist()
    inside = {name for name in names if not name.startswith(f"{STEM}.dist-info/")}
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "rofit").rglob("*.py")}
    for folder in ("analyses", "figures"):
        modules = (ROOT / folder).glob("*.py")
        sources |= {f"rofit/{folder}/{path.name}" for path in modules}
    templates = (ROOT / "rofit/report/templates").iterdir()
    sources |= {f"rofit/report/templates/{path.name}" for path in templates}
    assert inside == sources | {"rofit/py.typed", "rofit/analyses/reported.csv"}
    assert f"{STEM}.dist-info/licenses/LICENSE" in names


def test_sdist_has_what_it_takes_to_test_it(dist):
    names = set(tarfile.open(dist / f"{STEM}.tar.gz").getnames())
    listed = _run("git", "ls-files", "tests", "docs", "rofit", "analyses", "figures")
    wanted = {*listed.stdout.split("\n")[:-1], "LICENSE", "CITATION.cff", "Makefile"}
    missing = {f"{STEM}/{name}" for name in wanted if (ROOT / name).is_file()} - names
    assert not missing


def test_indexes_would_take_them(dist):
    done = _run(sys.executable, "-m", "twine", "check", "--strict", *dist.iterdir())
    assert done.stdout.count("PASSED") == 2, done.stdout + done.stderr


def test_it_installs_beside_the_packages_that_its_users_have():
    others = "transformers\ndatasets\nlightning\ntimm\n"
    resolve = (sys.executable, "-m", "uv", "pip", "compile", "--quiet")
    done = subprocess.run(
        (*resolve, "pyproject.toml", "--all-extras", "-"),
        input=others,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if "error sending request" in done.stderr or "dns error" in done.stderr:
        pytest.skip("NOT RUN: no package index can be reached")
    assert done.returncode == 0, done.stderr
    chosen = {line.partition("==")[0] for line in done.stdout.splitlines()}
    assert {"torch", *others.split()} <= chosen


def test_citation_has_the_version_and_licence_of_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert (citation["version"], citation["license"]) == (__version__, "MIT")
