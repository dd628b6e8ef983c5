"""Events in files: reading, assessing, explaining and publishing them."""
