"""What it is deployed with: image, compose file, rules for Prometheus, the local stack, rights on the brokers."""
