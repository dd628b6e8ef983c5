"""Which rules judge."""
