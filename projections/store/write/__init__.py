"""What the monitor writes in its one transaction, and what others park and record."""
