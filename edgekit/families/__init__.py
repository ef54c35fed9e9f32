"""Families of models: what of a checkpoint the graph depends on. One file each.

How a model is spoken to is no matter of its family: see `text`.
"""
