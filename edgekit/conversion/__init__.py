"""A checkpoint becomes a bundle; its vocabulary is trimmed; a LoRA adapter becomes a sidecar.

The graph, the arithmetic and the file formats are below, in `graph`, `quantize` and `bundle`.
"""
