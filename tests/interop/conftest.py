"""What tests of files from elsewhere share."""

import pytest
from imported_files import toy_images

from rofit.data import datasets
from rofit.running import components


@pytest.fixture
def toys(monkeypatch):
    """Toy images for CIFAR's and SVHN's; nothing is fetched."""
    components._load_data.cache_clear()
    monkeypatch.setattr(datasets, "load", toy_images)
    yield
    components._load_data.cache_clear()
