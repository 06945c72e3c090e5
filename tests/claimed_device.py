"""A GPU that is not there: tensors that claim to be on it and hold their values here.

Inside `ClaimedDevice` everything that is made on or moved to ``cuda`` claims to be
there. Each operation is computed on the CPU, after a check that its tensors are all on
one device: values may be read and shapes may depend on them, as on a GPU, and what
would fail there for its device fails here. Speed, memory and kernels are another thing.
"""

from typing import Any

import torch
from torch import Tensor
from torch import __future__ as future
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

CUDA, CPU = torch.device("cuda", 0), torch.device("cpu")
# What autograd takes the device for: it starts no thread and asks no driver there.
_UNDERLYING = "lazy"
# The operations that may see two devices.
_MOVES = ("_to_copy", "copy_", "_foreach_copy_")
_INDEXED = ("index", "index_put", "index_put_")


class WrongDevice(RuntimeError):
    """Tensors of two devices in one operation, or a generator of the other one."""


class Claimed(Tensor):
    """A tensor that says it is on CUDA; ``cpu_tensor`` has its values."""

    cpu_tensor: Tensor

    @staticmethod
    def __new__(cls, cpu_tensor: Tensor) -> "Claimed":
        """Wrap a tensor of the CPU."""
        claimed = Tensor._make_wrapper_subclass(
            cls,
            cpu_tensor.size(),
            strides=cpu_tensor.stride(),
            storage_offset=cpu_tensor.storage_offset(),
            dtype=cpu_tensor.dtype,
            device=_UNDERLYING,
        )
        claimed.cpu_tensor = cpu_tensor
        return claimed

    device = property(lambda self: CUDA)
    is_cuda = property(lambda self: True)

    def tolist(self) -> Any:
        """Return the values, which torch refuses of tensors like this one."""
        return self.cpu_tensor.tolist()

    def __repr__(self) -> str:
        """Return the values and the claim."""
        return f"Claimed({self.cpu_tensor!r})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        """Return a leaf of the same kind, as tensors do."""
        copied = self.detach().clone()
        if isinstance(self, torch.nn.Parameter):
            copied = torch.nn.Parameter(copied, self.requires_grad)
        memo[id(self)] = copied
        return copied

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Refuse: claims hold inside `ClaimedDevice` alone."""
        raise WrongDevice(f"{func} outside of ClaimedDevice")


class ClaimedDevice(TorchDispatchMode):
    """Computes on the CPU what claims to be on CUDA, and checks every device."""

    _mode_key = torch._C._TorchDispatchModeKey.FAKE  # or torch would look for a driver

    def __enter__(self) -> "ClaimedDevice":
        """Let modules move, and ``torch.tensor`` make claims."""
        self.before = (
            torch._C._only_lift_cpu_tensors(),
            future.get_overwrite_module_params_on_conversion(),
        )
        torch._C._set_only_lift_cpu_tensors(True)
        future.set_overwrite_module_params_on_conversion(True)
        return super().__enter__()

    def __exit__(self, *raised: Any) -> None:
        """Put that back."""
        super().__exit__(*raised)
        torch._C._set_only_lift_cpu_tensors(self.before[0])
        future.set_overwrite_module_params_on_conversion(self.before[1])

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Compute, and claim for the results the device that they would be on."""
        kwargs, name = kwargs or {}, func.overloadpacket.__name__
        tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        on_cuda = [t for t in tensors if isinstance(t, Claimed)]
        claims = bool(on_cuda)
        if claims and name not in _MOVES:
            # Numbers on the CPU go with tensors of any device, indices with cuda's.
            free = {id(t) for t in tree_leaves(args[1])} if name in _INDEXED else set()
            claims = isinstance(args[0], Claimed) or not free
            on_cpu = [t for t in tensors if not isinstance(t, Claimed) and t.ndim]
            if not claims or any(id(t) not in free for t in on_cpu):
                raise WrongDevice(f"{func}: tensors on cuda and on the CPU")
        if name == "copy_":
            claims = isinstance(args[0], Claimed)
        if kwargs.get("device") is not None:
            claims = kwargs["device"].type != "cpu"
            kwargs = kwargs | {"device": CPU}
        if claims and kwargs.get("generator") is not None:
            raise WrongDevice(f"{func}: a generator of the CPU for a tensor on cuda")
        results = func(*tree_map(_unwrap, args), **tree_map(_unwrap, kwargs))
        operands = {id(t.cpu_tensor): t for t in on_cuda}
        return tree_map(lambda t: _claim(t, operands), results) if claims else results


def _unwrap(value: Any) -> Any:
    return value.cpu_tensor if isinstance(value, Claimed) else value


def _claim(value: Any, operands: dict[int, Claimed]) -> Any:
    """Return a result as a claim: the operand itself where it was changed in place."""
    if not isinstance(value, Tensor):
        return value
    return operands[id(value)] if id(value) in operands else Claimed(value)
