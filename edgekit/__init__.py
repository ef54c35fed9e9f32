"""The toolkit: convert, validate, bench and package fine-tuned Gemma 3 270M checkpoints."""
