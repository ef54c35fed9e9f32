"""A delivery: a folder on a static host from which apps fetch a bundle after they are installed.

Its signed index, and checking all that the index names. Writing one is packaging's (`--to delivery`).
"""
