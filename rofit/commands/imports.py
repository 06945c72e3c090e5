"""`rofit import`: what other programs have left, as runs of the store."""

import click

from rofit.commands.import_log import log


@click.group("import")
def import_() -> None:
    """Take over runs of other programs: their logs and checkpoints."""


import_.add_command(log)
