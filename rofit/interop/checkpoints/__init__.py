"""Checkpoints of other code bases, as runs of the store."""
