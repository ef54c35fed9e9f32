"""Kotlin source for an app of one's own: a class that answers in types made of a bundle's formats and tools.

Where the file goes is decided by the targets; what it is written on is `packaging.core`.
"""
