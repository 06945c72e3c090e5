"""The commands: their flags, the session, listings, printing."""
