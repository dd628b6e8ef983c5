"""The distributed run on a real Apache Kafka and a real PostgreSQL, its services as real processes."""
