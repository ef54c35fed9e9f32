"""What goes out: .litertlm reading and writing, LLM metadata, the manifest, adapter bundles.

How a bundle is made is in `conversion`; nothing here opens an engine.
"""
