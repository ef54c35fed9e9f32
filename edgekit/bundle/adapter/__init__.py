"""An adapter bundle: its manifest, opened and checked against its base, and what is in it.

How a sidecar is made of a LoRA adapter is in `conversion.adapter`.
"""
