"""Which protocol a trial runs under, and which rules judge."""
