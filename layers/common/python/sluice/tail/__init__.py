"""Following logs as they are stored."""
