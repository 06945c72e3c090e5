"""Attacks: how an input is moved inside the threat model's ball."""
