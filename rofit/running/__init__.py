"""Names become objects and are worked off: runs trained, checkpoints evaluated."""
