"""The process of the command rofit, and of python -m rofit.

click alone takes a tenth of a second to import, torch seconds: signals are answered
before.
"""

import sys

from rofit import interrupts


def main() -> None:
    """Answer signals from now on, and run the command line."""
    interrupts.end_on_signals()
    try:
        from rofit import cli
    except OSError as error:  # too many open files, say
        sys.exit(f"rofit: {error}")
    cli.main()


if __name__ == "__main__":
    main()
