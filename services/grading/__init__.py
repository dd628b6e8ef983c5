"""``toxwatch grade``: a plain table of laboratory results, graded."""
