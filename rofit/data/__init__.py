"""Images as arrays: where they come from, how they are split, corrupted and augmented.

Only `augment` imports torch; everything else is NumPy, so listing data sets is quick.
"""
