"""MLflow: a run in an experiment; ``--log-to mlflow:URI``, else MLflow's own settings.

The experiment is that of ``MLFLOW_EXPERIMENT_NAME``, else ``rofit``. Nothing is sent
but to the tracking URI: MLflow's telemetry is off unless the user has turned it on.
"""

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rofit.sinks.curve import Curve, RunInfo

if TYPE_CHECKING:
    from mlflow import MlflowClient

NEEDS = ("mlflow",)
_TAG = "rofit.run"
_AT_ONCE = 500  # metrics a request; MLflow takes 1000, and 100 parameters


@contextmanager
def opened(run: RunInfo, where: str) -> Iterator[Curve]:
    """Open the run that has the tag ``rofit.run``; settings are its parameters."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read at the import
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
    client = MlflowClient(tracking_uri=where or None)
    key, is_new = _find_run(client, run)
    newest = 0

    def last(name: str) -> int:
        if is_new:
            return 0
        history = client.get_metric_history(key, name)
        return max((metric.step for metric in history), default=0)

    def write(epoch: int, values: Mapping[str, float]) -> None:
        nonlocal newest
        if not newest and not is_new:
            client.update_run(key, status="RUNNING")
        at = int(1000 * time.time())
        metrics = [Metric(name, v, at, epoch) for name, v in values.items()]
        for first in range(0, len(metrics), _AT_ONCE):
            client.log_batch(key, metrics=metrics[first : first + _AT_ONCE])
        newest = epoch

    yield Curve(last, write)
    if newest or is_new:
        client.set_terminated(key, "FINISHED" if newest == run.epochs else "KILLED")


def _find_run(client: "MlflowClient", run: RunInfo) -> tuple[str, bool]:
    """Return MLflow's id of the run, and whether it is made now."""
    from mlflow.entities import Param

    experiment = _find_experiment(client)
    same = client.search_runs([experiment], f"tags.`{_TAG}` = '{run.name}'")
    if same:
        return same[0].info.run_id, False
    tags = {_TAG: run.name}
    key = client.create_run(experiment, tags=tags, run_name=run.run_id).info.run_id
    parameters = [Param(name, str(value)) for name, value in run.settings.items()]
    client.log_batch(key, params=parameters)
    return key, True


def _find_experiment(client: "MlflowClient") -> str:
    """Return the experiment's id; another process may make it at the same time."""
    from mlflow.exceptions import MlflowException

    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "rofit")
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            return client.create_experiment(name)
        except MlflowException:
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise
    return experiment.experiment_id
