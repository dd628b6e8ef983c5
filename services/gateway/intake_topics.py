"""The topics on which outside producers send, and for whom each may speak: a file, in words that an operator can read aloud.

[central-lab]                       # toxwatch.intake.central-lab
sites = ["FR01", "FR02"]            # it speaks for these, and no others
sources = ["urn:lab:central"]       # from these

[safety-desk]
sponsor = true                      # it writes what the sponsor may write
sources = ["urn:sponsor:clb:safety"]
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from events.errors import EventRefused
from events.triage import readable_id, readable_source
from services.gateway.authority import OutsideAuthority
from services.gateway.keys import SITE_PATTERN
from services.gateway.messages import ReceivedMessage
from services.gateway.sources import any_matches
from services.http.caller import Caller, Role
from services.platform.settings import SettingsError

NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,60}$"
Source = Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class IntakeTopic(BaseModel):
    """For whom a topic may speak."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=NAME)]
    sites: list[Annotated[str, StringConstraints(pattern=f"^(?:{SITE_PATTERN.pattern})$")]] = Field(
        default_factory=list
    )
    sources: list[Source] = Field(min_length=1)
    sponsor: bool = False

    @model_validator(mode="after")
    def _speaks_for_somebody(self) -> IntakeTopic:
        if self.sponsor == bool(self.sites):
            raise ValueError("a topic speaks either for sites, or for the sponsor (sponsor = true)")
        return self

    @property
    def sender(self) -> str:
        """Under what its letters are parked."""
        return f"topic:{self.name}"

    def caller(self, message: ReceivedMessage) -> Caller:
        """With whose authority a message comes."""
        if self.sponsor:
            return Caller(self.sender, Role.SPONSOR, None, sources=tuple(self.sources))
        del message
        first, *others = self.sites
        return Caller(self.sender, Role.SITE, first, tuple(others), tuple(self.sources))

    def checked(self, message: ReceivedMessage) -> ReceivedMessage:
        """The message, refused where it is from a source for which the topic may not speak."""
        source = readable_source(message.event)
        if message.fault is not None or source is None or any_matches(self.sources, source):
            return message
        fault: EventRefused = OutsideAuthority(
            f"source: the topic {self.name} does not speak for it", field="source", event_id=readable_id(message.event)
        )
        return message._replace(fault=fault)


_FILE: Final = TypeAdapter(dict[str, dict[str, object]])


def load_intake_topics(path: Path | None) -> list[IntakeTopic]:
    """The topics that a file names; none without a file. Raises :class:`SettingsError` with a sentence."""
    if path is None:
        return []
    try:
        named = _FILE.validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
        return [IntakeTopic.model_validate({"name": name, **said}) for name, said in named.items()]
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False)
        )
        raise SettingsError(f"{path}: {faults}") from None
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: {error}") from None
