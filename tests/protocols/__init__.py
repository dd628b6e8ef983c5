"""Protocols other than the one that comes with Toxwatch: nothing else may know ISI-JX."""
