"""What commands share: options, tables, progress, and opening a deployment."""
