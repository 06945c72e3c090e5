"""From names to results: runs are trained, checkpoints evaluated."""
