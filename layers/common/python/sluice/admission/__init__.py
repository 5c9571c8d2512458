"""Who may send how much: rates and quotas per application."""
