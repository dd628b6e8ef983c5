"""The deployment that is to be moved: there, and held for this process alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy.engine import make_url

from projections.store.engine.database import Database
from projections.store.rebuild.rebuild import OPERATION
from services.platform.data_lock import alone_on
from services.platform.settings import Settings
from services.runtime.embedded import PROCESS
from services.terminal.opening import NoStore

#: What others do alone on a database: `toxwatch run`, and a rebuild.
HELD: Final = (PROCESS, OPERATION)


@contextmanager
def held(source: Settings) -> Iterator[Database]:
    """Its database, while nothing runs on it. Raises :class:`NoStore`, ``AlreadyRunning`` or ``AlreadyDone``."""
    url = make_url(source.database_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise NoStore(f"there is no database at {url.database}")
    with ExitStack() as stack:
        stack.enter_context(alone_on(source.data))
        database = Database(source.database_url)
        stack.callback(database.close)
        for what in HELD:
            stack.enter_context(database.alone(what))
        yield database
