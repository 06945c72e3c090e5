"""Captures outlive the graphs before them, by the rule of torch's allocator on a GPU.

On an H200 with torch 2.11 a pool of which no graph is left, but a tensor, could not be
captured into ("use_count > 0 INTERNAL ASSERT FAILED"). The allocator here has that rule
and nothing else, so that it is tested without a GPU; `test_captured` has the rest.
"""

import gc
from collections import Counter
from contextlib import contextmanager
from itertools import count

import pytest
import torch

from rofit.attacks import captured


class Allocator:
    """Counts the graphs of each pool; every pool that was ever used has a tensor."""

    def __init__(self):
        self.graphs, self.handles = Counter(), count()

    def take(self, handle):
        if handle in self.graphs and self.graphs[handle] == 0:
            raise RuntimeError("use_count > 0 INTERNAL ASSERT FAILED")
        self.graphs[handle] += 1

    def graph(self):
        """Return the class that stands for torch.cuda.CUDAGraph."""
        allocator = self

        class Graph:
            handle = None

            def pool(self):
                return self.handle

            def replay(self):
                """Nothing is computed anew."""

            def __del__(self):
                if self.handle is not None:
                    allocator.graphs[self.handle] -= 1

        return Graph

    @contextmanager
    def capture(self, graph, pool=None, capture_error_mode=None):
        """Stand for torch.cuda.graph."""
        assert capture_error_mode == "thread_local"
        handle = next(self.handles) if pool is None else pool
        self.take(handle)
        graph.handle = handle
        yield


@pytest.fixture
def allocator(monkeypatch):
    allocator = Allocator()
    monkeypatch.setattr(torch.cuda, "CUDAGraph", allocator.graph())
    monkeypatch.setattr(torch.cuda, "graph", allocator.capture)
    monkeypatch.setattr(torch, "zeros", lambda size, device: None)
    captured._first_graph.cache_clear()
    yield allocator
    captured._first_graph.cache_clear()


def test_a_second_training_captures_after_the_first_ones_graphs_are_gone(allocator):
    for _ in range(3):
        output, replay = captured.record(lambda: torch.ones(1))
        replay()
        del output, replay
        gc.collect()
    assert set(allocator.graphs.values()) == {1}  # all else is gone


def test_all_graphs_share_one_pool(allocator):
    kept = [captured.record(lambda: torch.ones(1)) for _ in range(3)]
    assert dict(allocator.graphs) == {0: len(kept) + 1}


def test_a_pools_handle_alone_is_refused_the_second_time(allocator):
    """As we once shared it."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, pool=9, capture_error_mode="thread_local"):
        pass
    del graph
    gc.collect()
    with (
        pytest.raises(RuntimeError, match="use_count"),
        torch.cuda.graph(None, pool=9, capture_error_mode="thread_local"),
    ):
        pass
