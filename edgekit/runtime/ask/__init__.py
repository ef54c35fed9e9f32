"""Talking to the engine: the child program that alone imports litert_lm, its protocol, sessions, sets of questions.

What a conversation is for is not here: that is `runtime.chat`'s, packaging's and validation's.
"""
