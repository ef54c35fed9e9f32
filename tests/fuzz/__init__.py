"""Mutated inputs for every reader: whatever is in a file, edgekit ends in a value or in an error of its own.

What is unit-tested of a single reader's limits is beside that reader.
"""
