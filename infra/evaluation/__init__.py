"""Runs an evaluation kit over the product's own code."""
