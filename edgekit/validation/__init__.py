"""Parity: does a bundle still say what the fine-tune said?

`edgekit.validate` runs the checks (`edgekit.validation.run`) and returns a `ParityReport`
(`edgekit.validation.result`), which reports and JSON files are made of.
"""
