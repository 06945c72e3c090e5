"""Files: a folder a run, its numbers, samples and evaluations, and the one reader.

No torch. What cannot be read is left out with a warning that names it, never silently;
a run that is named has to be readable.
"""
