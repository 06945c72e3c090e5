"""One module a figure or table, named as its analysis: how the table is drawn."""

if __name__ == "figures":
    raise ImportError("import rofit.figures; install the checkout: pip install -e .")
