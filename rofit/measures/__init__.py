"""Numbers that analyses use: curves, best and last of runs, claims. No torch."""
