"""Logs of other programs as runs of the store, beside ours.

A layout a file, with LAYOUT (its name), `recognise` and `read`; `reading.LAYOUTS` is
the list. What a log does not say stays unknown: a default never poses as a fact.
"""
