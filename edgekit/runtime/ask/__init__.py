"""Talking to the engine: the session, its protocol, the child program.

The only place that imports litert_lm.
"""
