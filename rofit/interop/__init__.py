"""Other people's programs: what they have left is read, what is ours is handed on."""
