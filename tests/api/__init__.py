"""Reading the living store: over HTTP, by commands, and the documents that describe it."""
