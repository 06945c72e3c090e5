"""Several processes that train one run: torchrun starts them, each has a rank."""
