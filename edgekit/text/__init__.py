"""How a model is spoken to: tokenizer, chat template, generation defaults, answer formats, data.

The shape of the network is no matter here: see `families`.
"""
