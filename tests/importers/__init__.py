"""Importing studies from files."""
