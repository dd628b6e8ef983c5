"""What is read of the living store: over HTTP, by commands, and the document that describes the events and their topics."""
