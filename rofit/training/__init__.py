"""Training: the one loop, its random draws, its schedule, its checkpoints."""
