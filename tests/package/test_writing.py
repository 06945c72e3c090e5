"""What a disk that takes no more is answered with, by the file that it did not take."""

import errno
import pickle
from pathlib import Path

import pytest
import torch

from rofit.errors import UserError
from rofit.writing import NotWritten, reason, unwritable, writes_file, writing

FULL = Path("/dev/full")
full_device = pytest.mark.skipif(not FULL.exists(), reason="needs Linux's /dev/full")


@full_device
@pytest.mark.parametrize("numbers", [1, 100_000])
def test_full_disk_names_the_file_that_torch_would_have_written(tmp_path, numbers):
    path = tmp_path / "last.pt"
    path.with_suffix(".tmp").symlink_to(FULL)
    sentence = r"last\.pt cannot be written \(No space left on device\)$"
    with pytest.raises(NotWritten, match=sentence), writing(path):
        with open(path.with_suffix(".tmp"), "wb") as file:
            torch.save({"weights": torch.zeros(numbers)}, file)
            file.flush()
    assert list(tmp_path.iterdir()) == []


def test_other_errors_pass(tmp_path):
    with pytest.raises(RuntimeError, match="^diverged$"), writing(tmp_path / "file"):
        raise RuntimeError("diverged")


def test_what_a_writer_inside_has_said_stays(tmp_path):
    with pytest.raises(NotWritten, match="inner cannot"), writing(tmp_path / "outer"):
        with writing(tmp_path / "inner"):
            raise OSError(errno.ENOSPC, "full")


def test_decorated_function_names_its_first_path(tmp_path):
    @writes_file
    def save(state, path):
        """Fail with what it got."""
        raise OSError(errno.EFBIG, state)

    with pytest.raises(NotWritten, match=r"/two cannot be written \(File too large\)"):
        save("one", tmp_path / "two")


def test_part_that_another_process_writes_is_left_alone(tmp_path):
    mine, theirs = tmp_path / "part.json.tmp", tmp_path / "part.1.tmp"
    mine.touch(), theirs.touch()
    with pytest.raises(NotWritten), writing(tmp_path / "part.json"):
        raise OSError(errno.ENOSPC, "full")
    assert list(tmp_path.iterdir()) == [theirs]


def test_library_in_between_does_not_lengthen_the_sentence():
    of_arrow = OSError(errno.ENOSPC, "Error writing bytes to file. Detail: [errno 28]")
    assert reason(of_arrow) == "No space left on device"
    assert reason(OSError("one\ntwo")) == "one"


@pytest.mark.parametrize("name", ["ENOSPC", "EDQUOT", "EFBIG", "EIO"])
def test_other_folder_is_not_proposed_where_the_disk_is_full(name):
    error = unwritable("the store", OSError(getattr(errno, name), ""), "--store")
    assert type(error) is NotWritten and "--store" not in str(error)


@pytest.mark.parametrize("name", ["EROFS", "EACCES", "ENOTDIR"])
def test_other_folder_is_proposed_where_one_is_closed(name):
    error = unwritable("the store", OSError(getattr(errno, name), ""), "--store")
    assert type(error) is UserError
    assert str(error).endswith("; choose another with --store")


def test_sentence_reaches_another_process():
    assert str(pickle.loads(pickle.dumps(NotWritten("words")))) == "words"
