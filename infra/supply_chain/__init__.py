"""What Sluice is built from, and what must not be in it: known vulnerabilities, secrets, components nobody lists."""
