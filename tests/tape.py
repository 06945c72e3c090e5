"""CUDA graphs on the CPU: operations are recorded once, and repeated on their memory.

What a graph does not do is not done here either: Python runs while it is recorded and
never again, numbers that it read then stay, and recording changes no tensor.
"""

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten


def tensors(*trees):
    return [leaf for leaf in tree_flatten(trees)[0] if isinstance(leaf, Tensor)]


class _Recorder(TorchDispatchMode):
    """Keeps every operation, and what memory held before it was touched."""

    def __init__(self):
        super().__init__()
        self.operations = []
        self.before = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        for tensor in tensors(args, kwargs):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in self.before:
                self.before[storage.data_ptr()] = (storage, storage.clone())
        output = func(*args, **kwargs)
        self.operations.append((func, args, kwargs, output))
        return output


def record(function):
    """Return a call's output and what repeats it, as `attacks.captured.record` does."""
    with _Recorder() as recorder:
        output = function()
    for storage, content in recorder.before.values():
        storage.copy_(content)

    def replay():
        with torch.no_grad():
            for func, args, kwargs, outputs in recorder.operations:
                _repeat(func, args, kwargs, outputs)

    return output, replay


def _repeat(func, args, kwargs, outputs):
    taken = {tensor.untyped_storage().data_ptr() for tensor in tensors(args, kwargs)}
    old = tensors(outputs)
    views = [tensor.untyped_storage().data_ptr() in taken for tensor in old]
    if old and all(views) and not func._schema.is_mutable:
        return
    new = tensors(func(*args, **kwargs))
    for mine, theirs, is_view in zip(old, new, views, strict=True):
        if not is_view:
            mine.copy_(theirs)
