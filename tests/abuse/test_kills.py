"""A short version of `make abuse`: commands that are killed (`kills.py`)."""

from kills import kills


def test_killed_commands_end_with_the_same_bits_and_leave_sound_stores():
    assert kills(5, seed=7) == []
