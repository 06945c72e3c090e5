"""Evaluation: what a network gets right, and what of it survives an attack."""
