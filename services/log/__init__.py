"""The event log: one port, and what stands behind it."""
