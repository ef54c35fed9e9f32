"""A LoRA adapter becomes an adapter bundle for a base that takes adapters at run time.

Reading such a bundle is in `bundle.adapter`.
"""
