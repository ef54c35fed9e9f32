"""The reference pages, from what they describe: commands, recipes, checks, targets, runners, Python.

No prose lives here: a sentence that is wrong on a page is mended in the docstring or help text it came from.
"""
