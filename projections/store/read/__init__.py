"""What pages, routes and commands read."""
