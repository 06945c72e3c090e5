"""What the shell completes: ids of the runs in the store, from its folders alone."""

from click import Argument, Context, Parameter
from click.shell_completion import CompletionItem

from rofit.store.places import Places
from rofit.store.runs import RunStore


def complete_runs(
    context: Context, parameter: Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the runs of the store, typed or default, that begin with *incomplete*.

    Those that stand before it on the line are left out.
    """
    store = RunStore(Places.given(context.params.get("store")).store)
    typed = context.params.get(str(parameter.name)) or ()
    ids = (folder.path.name for folder in store.runs())
    return [
        CompletionItem(run)
        for run in ids
        if run.startswith(incomplete)
        and not (isinstance(parameter, Argument) and run in typed)
    ]


def complete_runs_or_files(
    context: Context, parameter: Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the runs that begin with *incomplete*; where none does, files."""
    runs = complete_runs(context, parameter, incomplete)
    return runs or [CompletionItem(incomplete, type="file")]
