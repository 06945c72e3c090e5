"""The bench as a whole: which tables there are, and the machine they were taken on."""

import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch

from rofit.bench.costs import Costs
from rofit.bench.layers import layer_rows
from rofit.bench.library import library_rows
from rofit.bench.parity import parity_rows
from rofit.bench.profile import profile_rows
from rofit.bench.speed import speed_rows
from rofit.bench.timing import matmul_rate
from rofit.errors import UserError, look_up, unknown
from rofit.models import MODELS as REGISTRY
from rofit.running.checkpoints import LoadedCheckpoint
from rofit.running.components import device_name
from rofit.settings.spec import RunSpec
from rofit.store.environment import environment
from rofit.training.engine import find_engine
from rofit.training.process import peak_gpu_gib, prepare

Row = dict[str, Any]
TABLES = (
    "layers",
    "speed",
    "parity",
    "profile",
    "methods",
    "diagnostics",
    "evaluation",
    "growth",
    "library",
)
_CACHE = "TORCHINDUCTOR_CACHE_DIR"
# Models that the acceptance figures are about, with their batch on a CPU and on a GPU.
MODELS = {"preact_small": (128, 128), "preact_resnet18": (64, 128)}


def bench(
    tables: tuple[str, ...],
    models: tuple[str, ...],
    *,
    batch_size: int | None,
    engine: str,
    rounds: int,
    device: torch.device,
    network: LoadedCheckpoint | None = None,
    n: int = 64,
) -> dict[str, list[Row]]:
    """Return the requested tables, a section of rows each.

    ``library`` is of *n* images and the trained *network*, the others of *models*.

    ``engine`` auto compiles here however short the run. With ``speed``, compilation
    begins from an empty cache, so that its first step is that of a first run.

    Raises:
        UserError: a table that there is none of, an engine that cannot be, no network
            for ``library``.
    """
    for name in tables:
        if name not in TABLES:
            raise unknown("table", name, TABLES)
    for model in models:
        look_up("model", model, REGISTRY)
    if "library" in tables and network is None:
        raise UserError("the table library needs a trained network: --run RUN")
    chosen, remark = find_engine(engine, RunSpec(), device)
    prepare("fp32")  # no TF32 anywhere: what is compared is fp32 and bf16
    results: dict[str, list[Row]] = {"machine": [_machine(device, remark)]}
    with _empty_cache() if "speed" in tables else nullcontext():
        if network is not None and "library" in tables:
            results["library"] = library_rows(network, n=n, rounds=rounds)
        timed = [name for name in tables if name != "library"]
        for model in (models or tuple(MODELS)) if timed else ():
            usual = MODELS.get(model, (64, 128))[device.type == "cuda"]
            size = batch_size or usual
            options: dict[str, Any] = {"engine": chosen, "device": device}
            for name in timed:
                if name == "layers":
                    rows = layer_rows(model, size, rounds=rounds, device=device)
                    sections = {"layers": rows}
                elif name == "speed":
                    sections = speed_rows(model, size, rounds=rounds, **options)
                elif name == "profile":
                    sections = profile_rows(model, size, rounds=rounds, **options)
                elif name == "parity":
                    sections = {"parity": parity_rows(model, size, **options)}
                else:
                    costs = Costs(model, size, rounds=rounds, **options)
                    sections = {name: getattr(costs, name)()}
                for title, rows in sections.items():
                    results.setdefault(title, []).extend(rows)
    results["machine"][0] |= _peaks(device)
    return results


@contextmanager
def _empty_cache() -> Iterator[None]:
    """Compile into a folder of its own for the block."""
    before = os.environ.get(_CACHE)
    with tempfile.TemporaryDirectory() as cache:
        os.environ[_CACHE] = cache
        try:
            yield
        finally:
            os.environ.pop(_CACHE)
            if before is not None:
                os.environ[_CACHE] = before


def _machine(device: torch.device, remark: str) -> Row:
    host = environment(device_name(device), torch.get_num_threads())
    row = {key: host[key] for key in ("device", "threads", "commit", "system")}
    row["torch"] = host["versions"]["torch"]
    for dtype in (torch.float32, torch.bfloat16):
        kind = str(dtype).removeprefix("torch.")
        row[f"{kind} matmul GFLOP/s"] = round(matmul_rate(dtype, device) / 1e9)
    return row | ({"engine": remark} if remark else {})


def _peaks(device: torch.device) -> Row:
    """Return the most memory this process has had, in GiB, on a GPU as well."""
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Linux: kB
    peaks = {"peak memory GiB": round(resident, 2)}
    if device.type == "cuda":
        peaks["peak GPU memory GiB"] = peak_gpu_gib(device)
    return peaks
