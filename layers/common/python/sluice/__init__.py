"""Sluice's shared layer: the nouns of the platform, each a pure core with its ports and adapters."""
