"""The tests; not installed."""
