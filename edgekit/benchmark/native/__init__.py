"""The program that measures on the target, its prebuilt binaries, and how they are built.

What is done with the figures it prints is not here.
"""
