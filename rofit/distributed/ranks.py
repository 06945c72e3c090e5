"""The processes of one run: how many there are, which this one is, what they tell.

torchrun starts them. All hold the whole data set and the whole state of the training,
and change it alike; what differs between them is which images of a batch they pass
through the network. The first one alone writes.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist

from rofit.distributed.launch import launched
from rofit.distributed.sums import add_up, communicating

T = TypeVar("T")

# How long ranks wait for the first one: it evaluates alone, and fetches data.
_PATIENCE = timedelta(days=1)


@dataclass(frozen=True)
class Ranks:
    """A process among those of one run.

    Attributes:
        rank: its number, from 0.
        count: how many processes there are.
        local: its number among those on this machine: that of its GPU.
    """

    rank: int = 0
    count: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def any(self, claim: bool) -> bool:
        """Return whether the claim holds on any rank; all of them must ask."""
        if self.count == 1:
            return claim
        claims = torch.tensor(float(claim))
        add_up(claims)
        return bool(claims)

    def share(self, value: T | None) -> T:
        """Return the first rank's value on every rank, its tensors on the CPU.

        What the others give is ignored: None.
        """
        if self.count == 1:
            assert value is not None
            return value
        written = io.BytesIO()
        if self.first:
            torch.save(value, written)
        box = [written.getvalue()]
        with communicating():
            dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
        return torch.load(io.BytesIO(box[0]), map_location="cpu", weights_only=False)

    @contextmanager
    def first_goes_ahead(self) -> Iterator[None]:
        """Run the block on the first rank, and when that is done on the others."""
        if not self.first:
            self.any(False)
        yield
        if self.first:
            self.any(False)


ALONE = Ranks()


@contextmanager
def joined(*, gpu: bool) -> Iterator[Ranks]:
    """Meet the other processes for the block, if torchrun has started several.

    Args:
        gpu: whether tensors are on GPUs: NCCL sums them; gloo those on the CPU.

    Raises:
        RankLost: another process has ended.
    """
    if not launched():
        yield ALONE
        return
    local = int(os.environ["LOCAL_RANK"])
    if gpu and local < torch.cuda.device_count():
        torch.cuda.set_device(local)  # or pinned memory is the first GPU's
    with communicating():
        backend = "cpu:gloo,cuda:nccl" if gpu else "gloo"
        dist.init_process_group(backend, timeout=_PATIENCE)
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size(), local)
    finally:
        dist.destroy_process_group()
