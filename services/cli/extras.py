"""What an installation may do without: which part of Toxwatch needs which libraries, by the extras of the distribution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from events.errors import ToxwatchError

#: The modules that come with an extra and with nothing else. tests/architecture holds it against pyproject.toml.
EXTRA_OF: Final[Mapping[str, str]] = {
    **dict.fromkeys(("pandas", "numpy", "pyreadstat", "odmlib", "fhir"), "import"),
    **dict.fromkeys(("faust", "mode", "aiokafka", "kafka", "crc32c", "cramjam", "lz4", "zstandard"), "kafka"),
    **dict.fromkeys(("aiosmtpd",), "demo"),
    **dict.fromkeys(
        (
            "alembic",
            "aiosmtplib",
            "argon2",
            "fastapi",
            "httpx2",
            "prometheus_client",
            "psycopg",
            "pydantic_settings",
            "sqlalchemy",
            "standardwebhooks",
            "structlog",
            "uvicorn",
        ),
        "server",
    ),
}
#: The extra with which a command works, whichever of its libraries is missed first.
NEEDED_BY: Final[Mapping[str, str]] = {
    **dict.fromkeys(("import", "grade"), "import"),
    **dict.fromkeys(("gateway", "monitor", "clock", "dispatcher", "topics", "migrate-log"), "kafka"),
    "demo": "demo",
}


class MissingExtra(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """What was asked for needs libraries that are not installed here."""

    def __init__(self, what: str, module: str, extra: str) -> None:
        self.remedy = f"pip install 'toxwatch[{extra}]'"
        super().__init__(f"{what} needs {module}, which is not installed here: {self.remedy}")


def missing_extra(error: ModuleNotFoundError, command: str | None = None) -> MissingExtra | None:
    """What to say of a module that is missing; None where it belongs to no extra, which is a fault of the installation."""
    module = (error.name or "").partition(".")[0]
    extra = EXTRA_OF.get(module)
    if command is not None and command in NEEDED_BY and extra is not None:
        extra = NEEDED_BY[command]
    return None if extra is None else MissingExtra(f"`toxwatch {command}`" if command else "this", module, extra)
