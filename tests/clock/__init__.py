"""Time: whom to believe, and what is due."""
