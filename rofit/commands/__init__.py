"""What stands behind each command: the session, listings, printing."""
