"""Graph capture: the heavy half of edgekit, one folder per model family."""
