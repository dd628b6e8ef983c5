"""``make kafka``: what docker-compose.yml describes, as local processes without docker, for development and for CI."""
