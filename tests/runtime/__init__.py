"""`toxwatch run` and `toxwatch demo` as processes, from outside."""
