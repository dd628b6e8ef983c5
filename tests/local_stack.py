"""``make kafka``: a broker and a PostgreSQL as local processes, for development, until Ctrl-C."""

from __future__ import annotations

import signal

from tests.brokers import kafka_broker
from tests.databases import new_postgresql_database, postgresql_server

BROKER_PORT = 29092


def main() -> None:
    with (
        postgresql_server() as server,
        new_postgresql_database(server) as database,
        kafka_broker(BROKER_PORT) as broker,
    ):
        print(f"export TOXWATCH_LOG=kafka://{broker.address}")
        print(f"export TOXWATCH_DATABASE='{database}'")
        print("# then: toxwatch topics create; toxwatch migrate; and gateway, monitor, clock, dispatcher", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
