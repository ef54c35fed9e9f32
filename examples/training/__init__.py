"""What the examples' scripts share: from grammar to sentences, and the training loop."""
