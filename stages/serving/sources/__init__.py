"""Where frames come from: one file per kind, found by its name.

A file has `recognises(text)`, whether a source that a user wrote is of this kind, and
`make(text, options)`, the source, not yet opened.
"""
