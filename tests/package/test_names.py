"""A name is one part of a path, and of a sentence."""

from pathlib import Path

import pytest

from rofit.errors import UserError
from rofit.names import LONGEST_NAME, check_name


@pytest.mark.parametrize(
    "name",
    ["sgls", "cifar10-jpeg", "my loop", "\u00e9", "a.b", "...", "x" * LONGEST_NAME],
)
def test_name_that_a_folder_can_have_is_taken(tmp_path, name):
    check_name("the data set", name)
    (tmp_path / name).mkdir()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "got"),
    [
        ("sub/../../data/good", "'sub/../../data/good'"),
        ("..", "'..'"),
        (".", "'.'"),
        ("/", "'/'"),
        ("a\\b", r"'a\\b'"),
        ("a\0", r"'a\x00'"),
        ("a\nb", r"'a\nb'"),
        ("\udcff", r"'\udcff'"),
        ("", "an empty one"),
        (3, "3"),
        (None, "None"),
    ],
)
def test_name_that_leads_elsewhere_or_is_none_is_refused(name, got):
    with pytest.raises(UserError) as error:
        check_name("the data set", name)
    assert str(error.value).startswith("the data set must be a name")
    assert str(error.value).endswith(f"got {got}")


def test_name_is_measured_in_bytes():
    with pytest.raises(UserError, match="at most 100 bytes, got 102"):
        check_name("the data set", "\u00e9" * 51)


def test_no_two_test_modules_have_one_name():
    """Pytest collects one of them alone."""
    names = [path.name for path in Path(__file__).parents[1].rglob("test_*.py")]
    assert sorted(set(names)) == sorted(names)
