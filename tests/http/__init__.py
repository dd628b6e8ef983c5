"""How connections are accepted, limited and timed."""
