"""What goes out: .litertlm reading and writing, LLM metadata, manifest, and the directory that holds them."""
