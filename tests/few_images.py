"""Diagnostics that look at few images and places, for tests of what is around them.

Whether their numbers are right is tested in tests/diagnostics, at their own sizes.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rofit.diagnostics import DIAGNOSTICS, hessian, landscape


@contextmanager
def few_images() -> Iterator[None]:
    """Run the block with diagnostics of 16 images, three products, three places."""
    with pytest.MonkeyPatch.context() as patch:
        for kind in DIAGNOSTICS.values():
            if hasattr(kind, "n"):
                patch.setattr(kind, "n", 16)
        patch.setattr(hessian, "ITERATIONS", 3)
        patch.setattr(landscape, "PLACES", [-0.5, 0.0, 0.5])
        patch.setattr(landscape, "OFFSETS", [-8.0, 0.0, 8.0])
        yield
