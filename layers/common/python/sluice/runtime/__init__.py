"""What every function needs around its use case: settings, connections, observability, HTTP."""
