"""The composition roots: everything in one process, or one service each."""
