"""The event log: one port, and its implementations."""
