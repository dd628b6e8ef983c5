"""The simulated trial, its truth file and the load for benchmarks."""
