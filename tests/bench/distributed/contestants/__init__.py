"""The same job by five programs: read the topic, decode, write position, events and aggregates. Each is a process of its own."""
