"""Processes that meet over gloo inside of a test, forked off one that has torch."""

import os
import socket
from datetime import timedelta
from functools import partial

import torch
import torch.distributed as dist
from forked_command import ForkedCommand

from rofit.distributed.ranks import Ranks
from rofit.running.forking import process_context

_TIMEOUT = timedelta(seconds=300)  # of a message; a process that hangs fails its test


def on_ranks(count, work, folder):
    """Return what ``work(ranks)`` returns on each of *count* ranks, in their order."""
    context = process_context()
    processes = [
        context.Process(target=_work, args=(work, rank, count, str(folder)))
        for rank in range(count)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * count
    return [torch.load(folder / f"{count}-{rank}.pt") for rank in range(count)]


def _work(work, rank, count, folder):
    torch.set_num_threads(1)
    meeting = f"file://{folder}/meeting-{count}"
    dist.init_process_group("gloo", meeting, _TIMEOUT, count, rank)
    torch.save(work(Ranks(rank, count, rank)), f"{folder}/{count}-{rank}.pt")
    dist.destroy_process_group()


def rofit_on_ranks(count, home, *words, before=None):
    """Begin the command as torchrun does, *count* times; return the processes.

    Args:
        count: how many.
        home: folder of the store.
        words: of the command.
        before: calls by rank, made before the command.
    """
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    calls = before or {}
    return [
        ForkedCommand(home, *words, before=partial(_as_torchrun, *numbers))
        for numbers in [(n, count, port, calls.get(n)) for n in range(count)]
    ]


def _as_torchrun(rank, count, port, before):
    """Set what torchrun sets."""
    numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count}
    meeting = {"MASTER_ADDR": "localhost", "MASTER_PORT": port}
    environment = numbers | meeting | {"TORCHELASTIC_RUN_ID": "test"}
    os.environ.update({name: str(value) for name, value in environment.items()})
    torch.set_num_threads(1)
    if before:
        before()
