"""One module a figure or table of the paper: which runs, which table, which claims."""

if __name__ == "analyses":
    raise ImportError("import rofit.analyses; install the checkout: pip install -e .")
