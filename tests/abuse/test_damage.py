"""A short version of `make abuse`: damaged files of a run (`damage.py`)."""

from collections import Counter

import pytest
from damage import make_store, trials


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = tmp_path_factory.mktemp("sound") / "runs"
    make_store(root)
    return root


@pytest.mark.parametrize("seed", range(3))
def test_damage_is_noticed_or_changes_no_number(store, tmp_path, seed):
    done = trials(store, tmp_path, 60, seed)
    wrong = [t for t in done if t.outcome not in ("harmless", "noticed")]
    assert wrong == []
    assert Counter(t.outcome for t in done)["noticed"] > 10
