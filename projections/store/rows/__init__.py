"""What the rows of charts, findings and alerts mean: shared by those who write and those who read them."""
