"""Images as arrays: where they come from, how they are split and corrupted.

Only `unit` imports torch; everything else is NumPy, so listing data sets is quick.
"""
