"""The gateway: events in over HTTP, checked, stamped and appended; and who may do what."""
