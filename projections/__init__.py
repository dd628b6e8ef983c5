"""What is true of the events: rules (judging), folds (keeping charts and findings current)."""
