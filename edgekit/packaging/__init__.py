"""From a bundle to an app: what `edgekit package` does."""
