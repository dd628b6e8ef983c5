"""Backup, restore, and moving a deployment to Kafka."""
