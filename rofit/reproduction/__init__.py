"""From an analysis to its picture: which runs it needs, what is published."""
