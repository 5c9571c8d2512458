"""What versions of services logged, and what a deployment changed."""
