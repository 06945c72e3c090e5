"""A run as a folder to publish: weights, loader, model card, logs, claim."""
