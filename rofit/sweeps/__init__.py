"""Sweeps: a grid of settings as runs, one table of them, one picture."""
