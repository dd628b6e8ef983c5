"""From the embedded run to the distributed one: everything that a deployment knows, carried over once."""
