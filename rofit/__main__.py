"""The process of the command rofit, and of python -m rofit.

click alone takes a tenth of a second to import, torch seconds: signals are answered
before.
"""

from rofit import interrupts


def main() -> None:
    """Answer signals from now on, and run the command line."""
    interrupts.end_on_signals()
    from rofit import cli

    cli.main()


if __name__ == "__main__":
    main()
