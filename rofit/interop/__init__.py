"""Other programs' files: what comes in from them and what goes out to them."""
