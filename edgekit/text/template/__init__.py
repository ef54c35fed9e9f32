"""Chat templates: read, rendered as Transformers does, and rewritten for the engine, which is verified.

Who speaks in which form is a dialect's matter: see `text.dialects`.
"""
