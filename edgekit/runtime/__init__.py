"""Runners: the LiteRT-LM engine, the TFLite interpreter, the Hugging Face reference."""
