"""Kotlin source for an app of one's own: a class with a bundle's names and values.

Where the file goes is decided by the targets.
"""
