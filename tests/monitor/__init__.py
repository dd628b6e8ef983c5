"""The monitor on a real database of either kind: from the log to projections, alerts and back."""
