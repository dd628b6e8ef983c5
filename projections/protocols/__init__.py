"""One page for each bundled protocol, which a physician can hold beside the record."""
