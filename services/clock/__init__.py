"""Time: the one place that reads the clock, and the service that turns deadlines into events."""
