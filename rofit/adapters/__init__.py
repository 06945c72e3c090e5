"""Networks and images of other programs, as attacks and diagnostics take them."""
