"""What watches Sluice from outside: Prometheus's rules, Grafana's dashboards, and the table of metrics."""
