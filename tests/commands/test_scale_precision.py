"""A scale in bf16 becomes fp32, aloud, on a CPU without bf16 arithmetic only."""

import io

import pytest
from rich.console import Console

from rofit.commands import devices
from rofit.commands.session import Flags, Session
from rofit.commands.training import specs_of
from rofit.settings.scales import SCALES
from rofit.training import process

BF16 = [name for name, scale in SCALES.items() if "bf16" in scale.changes.values()]
FIG1 = "fig1_gradnorm"


def _session(*settings, scale, device="cpu") -> tuple[Session, io.StringIO]:
    printed = io.StringIO()
    flags = Flags(scale=scale, settings=settings, device=device)
    return Session(flags, Console(file=printed, width=200)), printed


def _train_spec(session):
    names = ("method", "labels", "weights", "dataset", "recipe")
    (spec,) = specs_of(session, None, **dict.fromkeys(names))
    return spec


@pytest.fixture(params=[True, False], ids=["emulated", "native"])
def emulated(request, monkeypatch):
    """Whether the CPU of this test lacks bf16; there is no GPU."""
    monkeypatch.setattr(process, "without_bf16", lambda device: request.param)
    monkeypatch.setattr(devices, "has_cuda", lambda: False)
    return request.param


@pytest.mark.parametrize("device", ["cpu", "auto"])
@pytest.mark.parametrize("scale", BF16)
def test_cpu_without_bf16_takes_fp32_and_says_so(scale, device, emulated):
    session, printed = _session(scale=scale, device=device)
    request = session.request(FIG1)
    assert request.settings == ({"precision": "fp32"} if emulated else {})
    assert ("precision=fp32" in request.folder) == emulated
    assert ("this CPU has no arithmetic" in printed.getvalue()) == emulated
    assert (
        "with precision=fp32" in session.scale_text(["x"], seeds=1, takes="")
    ) == emulated
    assert _train_spec(session).precision == ("fp32" if emulated else "bf16")


@pytest.mark.parametrize("scale", BF16)
def test_precision_that_was_typed_is_taken_without_a_word(scale, emulated):
    session, printed = _session("precision=bf16", scale=scale)
    assert session.request(FIG1).settings == {"precision": "bf16"}
    assert not printed.getvalue()


@pytest.mark.parametrize("scale", BF16)
def test_gpu_that_is_named_or_there_keeps_bf16(scale, emulated, monkeypatch):
    assert not _session(scale=scale, device="cuda")[0].settings
    monkeypatch.setattr(devices, "has_cuda", lambda: True)
    assert not _session(scale=scale, device="auto")[0].settings


@pytest.mark.parametrize("scale", sorted(set(SCALES) - set(BF16)))
def test_other_scales_stay_as_they_are(scale, emulated):
    session, printed = _session(scale=scale)
    assert not session.settings and not printed.getvalue()


def test_scale_sentence_names_data_sets_and_overrides():
    session, _ = _session("width=8", scale="cpu")
    text = session.scale_text(
        ["cifar100 (png)", "cifar10", "cifar10"], seeds=2, takes="minutes"
    )
    assert text.startswith("scale cpu: 1,000 training images")
    assert text.endswith("; images of cifar100 (png), cifar10; with width=8")
