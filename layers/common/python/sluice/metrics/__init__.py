"""Metrics: what there is to count, the counts that outlive functions, and how Prometheus reads them."""
