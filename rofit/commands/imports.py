"""`rofit import`: files of other programs become runs of the store."""

import click

from rofit.commands.import_checkpoint import checkpoint
from rofit.commands.import_log import log


@click.group("import")
def import_() -> None:
    """Bring files of other programs in, as runs of the store."""


import_.add_command(checkpoint)
import_.add_command(log)
