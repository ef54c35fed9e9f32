"""Parity: does a bundle still say what the fine-tune said? Checks, verdict, report.

How logits are compared is in `scoring`; how the engine is asked in `runtime`.
"""
