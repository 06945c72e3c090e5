"""Checkpoints from a thread: copies, in order, none lost, and no failure swallowed."""

import threading

import pytest
import torch
from training_helpers import CPU, same

from rofit.training import checkpoint
from rofit.training.checkpoint import BEST, LAST, PREVIOUS, Writer
from rofit.writing import NotWritten


@pytest.fixture
def slow(monkeypatch):
    """A disk that waits for the test: returns what lets it go on."""
    may = threading.Event()
    save = checkpoint.save

    def waiting(state, path):
        assert may.wait(timeout=60)
        save(state, path)

    monkeypatch.setattr(checkpoint, "save", waiting)
    return may


def _state(value):
    tensor = torch.full((3,), float(value))
    return {
        "epoch": value,
        "model": {"w": tensor},
        "groups": [{"lr": 0.1, "t": tensor}],
    }


def _epoch(folder, name):
    return checkpoint.load(folder / name, CPU)["epoch"]


def test_what_is_written_is_what_was_given_and_training_may_go_on(tmp_path, slow):
    state, expected = _state(1), _state(1)
    with Writer(tmp_path) as writer:
        writer.save(state, BEST)
        state["model"]["w"].fill_(9)
        state["epoch"] = 9
        slow.set()
    same(checkpoint.load(tmp_path / BEST, CPU), expected)


def test_last_is_left_out_while_the_one_before_is_written_unless_it_must(
    tmp_path, slow
):
    with Writer(tmp_path) as writer:
        writer.save_last(lambda: _state(1), must=False)
        writer.save_last(lambda: pytest.fail("not even asked for"), must=False)
        writer.save(_state(2), BEST)
        slow.set()
        writer.save_last(lambda: _state(3), must=True)
    assert _epoch(tmp_path, LAST) == 3
    assert _epoch(tmp_path, PREVIOUS) == 1
    assert _epoch(tmp_path, BEST) == 2


def test_last_is_written_after_other_files_of_its_epoch(tmp_path, slow):
    """Or a killed run would know of a best that is not there."""
    slow.set()
    with Writer(tmp_path) as writer:
        for epoch in range(1, 6):
            writer.save(_state(epoch), BEST)
            writer.save_last(lambda epoch=epoch: _state(epoch), must=True)
            writer._last.result()
            assert _epoch(tmp_path, BEST) == _epoch(tmp_path, LAST) == epoch


def test_few_copies_wait_in_memory(tmp_path, slow):
    writer = Writer(tmp_path)
    for epoch in range(Writer._WAITING):
        writer.save(_state(epoch), f"epoch-{epoch}.pt")
    blocked = threading.Thread(target=writer.save, args=(_state(9), "epoch-9.pt"))
    blocked.start()
    blocked.join(timeout=0.2)
    assert blocked.is_alive() and len(writer._writes) < Writer._WAITING
    slow.set()
    blocked.join(timeout=60)
    writer.__exit__(None, None, None)
    assert _epoch(tmp_path, "epoch-9.pt") == 9


@pytest.mark.parametrize("later", [True, False])
def test_write_that_fails_is_raised_at_a_later_call_or_at_the_end(
    tmp_path, monkeypatch, later
):
    def full(state, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save", full)
    with pytest.raises(OSError, match="No space left"), Writer(tmp_path) as writer:
        writer.save(_state(1), BEST)
        writer._writes[0].exception()  # it is through
        if later:
            writer.save(_state(2), BEST)
            pytest.fail("the first write's failure was swallowed")


def test_folder_that_was_removed_is_not_made_again(tmp_path):
    with pytest.raises(NotWritten, match=r"last\.pt cannot be written"):
        with Writer(tmp_path / "gone" / "checkpoints") as writer:
            writer.save_last(lambda: _state(1), must=True)
    assert list(tmp_path.iterdir()) == []


def test_other_error_of_the_block_is_the_one_that_is_raised(tmp_path):
    with pytest.raises(ValueError, match="diverged"), Writer(tmp_path) as writer:
        writer.save_last(lambda: _state(1), must=True)
        raise ValueError("diverged")
    assert _epoch(tmp_path, LAST) == 1


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.cuda.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        OSError(12, "Cannot allocate memory"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_too_little_memory_is_no_damage_to_the_file(tmp_path, monkeypatch, error):
    """Else the run would begin anew, as if its last checkpoint were lost."""
    checkpoint.save(_state(1), tmp_path / LAST)

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(type(error)):
        checkpoint.load_last(tmp_path, CPU)
