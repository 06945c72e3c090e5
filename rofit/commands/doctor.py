"""`rofit doctor`: what is wrong in a store, and mending of what can be mended."""

from itertools import chain

import click

from rofit.commands.answers import answer, say
from rofit.commands.flags import with_flags
from rofit.commands.session import Session


@click.command()
@click.option("--mend", is_flag=True, help="Make again what can be made again.")
@with_flags("store", "as_json", "debug")
def doctor(session: Session, mend: bool) -> int:
    """Check every file of a store and of published tables.

    Exits with 1 if something remains wrong.
    """
    from rofit.running.doctor import examine, examine_results

    rows, wrong = [], 0
    findings = examine(session.store), examine_results(session.places.results)
    for finding in chain(*findings):
        mended = bool(mend and finding.mend)
        if mended and finding.mend:
            finding.mend()
        wrong += not mended
        remedy = "mended" if mended else "--mend" if finding.mend else ""
        columns = {"run": finding.run, "file": finding.file, "what": finding.what}
        rows.append(columns | {"remedy": remedy})
    if rows or session.flags.as_json:
        answer({"findings": rows}, session.flags.as_json)
    else:
        n = len(session.store.runs())
        say(f"{n} run{'s' * (n != 1)} in {session.store.root}: all is sound")
    return int(wrong > 0)
