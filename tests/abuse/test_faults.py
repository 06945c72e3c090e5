"""A short version of `make abuse`: faults of the machine, and a longer run."""

import sys

import pytest
from faults import FAULTS, faults
from flat import flat

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits, /proc")


def test_commands_that_ran_into_a_fault_go_on_to_the_same_bits():
    assert faults(len(FAULTS), seed=3) == []


def test_memory_and_open_files_do_not_grow():
    assert flat(30) == []
