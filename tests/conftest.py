"""What many tests share: small specs, a trained store, where the real images are."""

import os
import shutil
import signal
import sysconfig
import urllib.error
import urllib.request
from pathlib import Path

# Under nohup SIGHUP is ignored, which rofit leaves so, and behind a shell's & SIGINT:
# here they are sent and answered.
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Before torch is imported, and for the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

from rofit.attacks.compiled import why_not
from rofit.settings.recipes import RECIPES
from rofit.settings.scales import SCALES
from rofit.settings.spec import RunSpec

ARCHIVE = Path(__file__).parents[2] / "shared" / "data" / "cifar10-jpeg.tar.xz"


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Tiny nets gain nothing from more, and a busy core makes two threads crawl."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _subnormal_numbers():
    """What torch 2.4 compiles turns them off for the process, as it is loaded."""
    torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def compiler():
    """Attacks can be compiled here; skipped without a C++ compiler, and only then."""
    _require_compiler("cpu")


@pytest.fixture(scope="session")
def cuda_compiler():
    """Attacks can be compiled for the GPU; Triton needs a C compiler of its own."""
    _require_compiler("cuda")


def _require_compiler(device: str) -> None:
    if reason := why_not(torch.device(device)):
        headers = Path(sysconfig.get_path("include"), "Python.h").exists()
        if headers and any(map(shutil.which, ("g++", "clang++", "c++"))):
            pytest.fail(f"there is a C++ compiler, but no compiled engine: {reason}")
        pytest.skip(reason)


@pytest.fixture(scope="session")
def smoke_spec():
    """A function from changes to a small run of a few steps an epoch."""

    def make(**changes):
        """Return the smoke-scale run with some fields changed."""
        spec = SCALES["smoke"].apply(RECIPES["sgls"].apply(RunSpec()))
        return spec.replace(**changes)

    return make


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory):
    """The folder of a run that has learnt something; evaluations go elsewhere."""
    from evaluated_runs import trained

    return trained(tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="session")
def subject(digits_run):
    """Its last network, in float64."""
    from evaluated_runs import doubled

    return doubled(digits_run)


@pytest.fixture
def requested_urls(monkeypatch) -> list[str]:
    """No network: every URL that is asked for is written down and refused."""
    urls: list[str] = []

    def refuse(request, *args, **kwargs):
        urls.append(getattr(request, "full_url", request))
        raise urllib.error.URLError("no network in tests")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    return urls
