"""The monitor: reads the clinical log, keeps the projections, and says which alerts change."""
