"""How far apart two models are: their logits over the same tokens, and the figures of that.

What is good enough is said by `gates` and judged in `validation`.
"""
