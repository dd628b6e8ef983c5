"""Site A misbehaves, by accident or on purpose; site B is served all the same: see :mod:`tests.neighbours.neighbour`."""
