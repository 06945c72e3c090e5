"""Where the time of rofit's step goes: attack, training passes, everything else."""

from collections.abc import Callable
from typing import Any

import torch

from rofit.bench.problem import Ours
from rofit.bench.timing import timed


class _Stopwatch:
    """Adds up the time of calls; a GPU's work included."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.seconds = device, 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*given: Any, **named: Any) -> Any:
            answers: list[Any] = []
            self.seconds += timed(
                lambda: answers.append(function(*given, **named)), self.device
            )
            return answers[0]

        return measured


def phases(ours: Ours, steps: int, device: torch.device) -> dict[str, float]:
    """Return the shares of attack, training passes and the rest over some steps.

    The rest is what is neither forward nor backward: loading, draws, labels,
    optimizer, curves and diagnostics.
    """
    run = ours.run
    attack, train = _Stopwatch(device), _Stopwatch(device)
    maximise, predict, backward = (
        run.method.maximise,
        run.engine.predict,
        torch.Tensor.backward,
    )
    run.method.maximise = attack.around(maximise)  # type: ignore[method-assign]
    run.engine.predict = train.around(predict)  # type: ignore[method-assign]
    torch.Tensor.backward = train.around(backward)  # type: ignore[method-assign]
    try:
        total = sum(timed(ours.step, device) for _ in range(steps))
    finally:
        del run.method.maximise, run.engine.predict
        torch.Tensor.backward = backward  # type: ignore[method-assign]
    shares = {"attack": attack.seconds, "training passes": train.seconds}
    shares["rest"] = total - attack.seconds - train.seconds
    return {f"{name} %": round(100 * s / total, 1) for name, s in shares.items()}
