"""Which of an analysis's runs can be trained: those whose data are present."""

from pathlib import Path

from rofit.data.known import DATASETS
from rofit.errors import NothingToDraw, UserError
from rofit.reproduction.plan import Request, beyond_scale
from rofit.settings.scales import find_scale
from rofit.settings.spec import RunSpec
from rofit.store.runs import RunStore


def available(
    request: Request, specs: list[RunSpec], store: RunStore, root: Path
) -> tuple[list[RunSpec], dict[str, str]]:
    """Return the runs whose data are there, and a sentence for each set that is not.

    Runs that are done need no data. Looking may fetch a data set.

    Args:
        request: the analysis and its size.
        specs: the runs of its plan.
        store: where runs are.
        root: folder of data sets.

    Raises:
        NothingToDraw: the one data set of the analysis is not there.
        UserError: one is there and cannot be read.
    """
    from rofit.running.components import load_data

    absent: dict[str, str] = {}
    compared = len({spec.dataset for spec in specs}) > 1
    beyond = beyond_scale(request, specs)
    undone = [s for s in specs if store.folder(s.run_id).state != "done"]
    for spec in {spec.dataset: spec for spec in undone}.values():  # one a data set
        if spec.dataset in beyond:
            scale_dataset = find_scale(request.scale).changes["dataset"]
            absent[spec.dataset] = (
                f"{spec.dataset} (scale {request.scale} is of {scale_dataset})"
            )
            continue
        if spec.dataset not in DATASETS and not spec.dataset_digest:
            absent[spec.dataset] = (
                f"{spec.dataset} (pass an archive of its class folders with --data, "
                f"called {spec.dataset}.tar)"
            )
            continue
        try:
            load_data(spec, root)
        except UserError as error:
            registered = DATASETS.get(spec.dataset)
            if registered is None or registered.is_present(root):
                raise  # it is there, and something else is wrong with it
            if not compared:
                raise NothingToDraw(f"{request.name}: {error}") from None
            absent[spec.dataset] = (
                f"{spec.dataset} (not there: rofit data {spec.dataset} --fetch with a "
                "network, or --data with an archive of its class folders)"
            )
    trainable = [spec for spec in specs if spec.dataset not in absent]
    return trainable, absent
