"""The arithmetic of quantization: one matrix in, codes and scales out.

Which scheme a tensor gets is decided by `recipes`; where the bytes go by `graph`.
"""
