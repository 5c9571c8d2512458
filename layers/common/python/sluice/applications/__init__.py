"""Applications that send logs, and their API keys."""
