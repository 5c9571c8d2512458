"""The main job on real input, from a key to the logs read back: `make demo`."""
