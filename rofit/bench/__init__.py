"""The field's training step against rofit's, side by side in one process."""
