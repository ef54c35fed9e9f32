"""Running a bundle: the LiteRT-LM engine, the LiteRT interpreter, the checkpoint in Transformers.

What is concluded from their answers is in `scoring` and `validation`.
"""
