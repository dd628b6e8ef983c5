"""HTTP servers that keep going whoever connects: how connections are accepted, limited and timed."""
