"""Which part of a vocabulary a task needs, and a model without the rest.

How a tokenizer is read is in `text`.
"""
