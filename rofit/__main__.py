"""python -m rofit: the same as the command rofit."""

from rofit.cli import main

if __name__ == "__main__":
    main()
