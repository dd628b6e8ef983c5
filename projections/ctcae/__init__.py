"""Grading of laboratory results by NCI CTCAE: the printed criteria as tables, and exact arithmetic over them."""
