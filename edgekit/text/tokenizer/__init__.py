"""Tokenizers: read as Transformers completes them, written as SentencePiece, and the two compared.

Which pieces a task needs is asked of `text.vocabulary`.
"""
