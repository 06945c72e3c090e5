"""From an analysis to its picture: the runs it needs, the results it publishes."""
