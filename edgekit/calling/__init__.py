"""Calling: tools, the calls that a model writes, and the formats that let no other calls out; no engine, no torch.

What a checkpoint and its chat template say of it is not here: that is `text.dialects`'.
"""
