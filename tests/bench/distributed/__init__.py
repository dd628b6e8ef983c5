"""What the distributed run costs, on a real Kafka and a real PostgreSQL: ``make bench-distributed``. Figures never gate CI."""
