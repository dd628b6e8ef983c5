"""Designs of dose escalation."""
