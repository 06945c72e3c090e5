"""How processes of jobs begin: forked off one that has made the imports."""

import multiprocessing
import signal
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import BaseContext

from rofit import interrupts

# What every job imports sooner or later, and takes seconds.
_IMPORTED = [
    "rofit.running.jobs",
    "rofit.running.training_job",
    "torch._dynamo",
    "sklearn.datasets",
]


def process_context() -> BaseContext:
    """Return how processes begin: forked off one that has made the imports, no more.

    CUDA and threads forbid to fork off this one. Where there is no such server, each
    begins from nothing. The server blocks signals, and so do those that it forks.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    block_signals(True)
    try:
        resource_tracker.ensure_running()
        block_signals(True)  # two of them it has unblocked here
        forkserver.ensure_running()
    finally:
        block_signals(False)
    return context


def block_signals(block: bool) -> None:
    """Block the signals that end, here and in processes that begin, or unblock them."""
    if hasattr(signal, "pthread_sigmask"):  # Windows has none
        action = signal.SIG_BLOCK if block else signal.SIG_UNBLOCK
        signal.pthread_sigmask(action, interrupts.SIGNALS)
