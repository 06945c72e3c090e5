"""What tests of whole steps share."""

import pytest
from slow_pairs import paired


@pytest.fixture(scope="module")
def teachers(tmp_path_factory):
    """A folder for checkpoints of networks that are no run's initial one."""
    return tmp_path_factory.mktemp("teachers")


@pytest.fixture
def pair(smoke_spec, teachers):
    """A function to the product's training and its slow twin, at an epoch."""

    def make(name, *args, **options):
        return paired(smoke_spec, teachers, name, *args, **options)

    return make
