"""Who is told, and how they are reached: one file, validated whole (``recipients.example.toml`` explains every key).

Secrets stand in files of their own, are read with it, and never occur in a representation, a log or an error.
"""

from __future__ import annotations

import hashlib
import ipaddress
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import rfc8785
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic.networks import AnyHttpUrl

from events.faults import listed
from projections.rules.logic.trial_protocol import TrialProtocol
from services.dispatcher.recipient_faults import RecipientsError, nearest_of, sentence_of
from services.dispatcher.secret_files import read_password, read_webhook_secrets
from services.http.outgoing import Proxy

Urgency = Literal["urgent", "prompt", "routine"]
#: ``minimal``: no clinical words. ``clinical``: also what is asked and why something changed, which may name a diagnosis.
Detail = Literal["minimal", "clinical"]

NAME: Final = r"^[a-z0-9][a-z0-9-]{0,39}$"
CONCURRENCY_MAX: Final = 16


def _address(text: str) -> str:
    try:
        if not text.isascii() or not text.isprintable():
            raise ValueError
        address = Address(addr_spec=text)
    except (ValueError, IndexError, MessageError):
        raise ValueError("not an e-mail address, such as name@example.org") from None
    if not address.domain:
        raise ValueError("not an e-mail address: it lacks the part after the @")
    return text


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


Name = Annotated[str, Field(pattern=NAME)]
MailAddress = Annotated[str, AfterValidator(_address)]
Timeout = Annotated[float, Field(gt=0, le=60)]
Concurrency = Annotated[int, Field(ge=1, le=CONCURRENCY_MAX)]


class RecipientSection(BaseModel):
    """A table of the file: nothing unknown is allowed in it, so that a misspelt key is found."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ConsoleChannelConfig(RecipientSection):
    """The terminal that the dispatcher runs in."""

    type: Literal["console"]
    timeout: Timeout = 5.0

    @property
    def concurrency(self) -> int:
        """Lines are written one after another."""
        return 1


class SmtpChannelConfig(RecipientSection):
    """A mail server."""

    type: Literal["smtp"]
    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]+$")]
    port: Annotated[int, Field(ge=1, le=65535)]
    tls: Literal["none", "starttls", "implicit"]
    from_: Annotated[MailAddress, Field(alias="from")]
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    timeout: Timeout = 20.0
    concurrency: Concurrency = 2

    @model_validator(mode="after")
    def _agree(self) -> SmtpChannelConfig:
        if (self.username is None) != (self.password_file is None):
            raise ValueError("username and password_file are given together, or neither")
        if self.username is not None and self.tls == "none" and not _is_local(self.host):
            raise ValueError('tls: "none" would send the password in clear; use "starttls" or "implicit"')
        if self.ca_file is not None and self.tls == "none":
            raise ValueError('ca_file: with tls = "none" nothing is checked by it')
        return self


class WebhookChannelConfig(RecipientSection):
    """An HTTP receiver. ``url`` may hold a token, and is treated as a secret. Each secret of the file signs every message."""

    type: Literal["webhook"]
    url: SecretStr
    secret_file: Path
    allow_http: bool = False
    proxy: Proxy | None = None
    timeout: Timeout = 10.0
    concurrency: Concurrency = 4

    @model_validator(mode="after")
    def _reachable(self) -> WebhookChannelConfig:
        try:
            url = AnyHttpUrl(self.url.get_secret_value())
        except ValidationError:
            raise ValueError("url: not an address of the form https://host/path") from None
        if url.scheme != "https" and not self.allow_http and not _is_local(url.host or ""):
            raise ValueError("url: plain http can be read on the way; use https, or say allow_http = true")
        return self


ChannelConfig = Annotated[ConsoleChannelConfig | SmtpChannelConfig | WebhookChannelConfig, Field(discriminator="type")]


class Recipient(RecipientSection):
    """A person, a group or a system. A filter that is left out takes everything, and what is not known passes every filter."""

    name: Name
    role: Name
    address: MailAddress | None = None
    channels: Annotated[tuple[str, ...], Field(min_length=1)]
    urgencies: Annotated[frozenset[Urgency], Field(min_length=1)] | None = None
    populations: Annotated[frozenset[str], Field(min_length=1)] | None = None
    levels: Annotated[frozenset[Annotated[int, Field(ge=1)]], Field(min_length=1)] | None = None
    operational: bool = True
    detail: Detail = "minimal"


class Grouping(RecipientSection):
    """How often people are told.

    ``seconds``: a recipient gets one message that is not urgent in so many seconds over a channel; it lists what there is.
    ``system_alert_seconds``: of an alert about Toxwatch itself, whose number others may drive up, people are told again at
    least so long after the message before. What is urgent about a subject or a dose level never waits.
    """

    seconds: Annotated[float, Field(ge=0, le=3600)] = 60.0
    system_alert_seconds: Annotated[float, Field(ge=0, le=3600)] = 60.0


class RecipientsFile(RecipientSection):
    """The file as it is written."""

    channels: dict[Name, ChannelConfig]
    grouping: Grouping = Grouping()
    recipients: Annotated[tuple[Recipient, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _agree(self) -> RecipientsFile:
        faults = [fault for recipient in self.recipients for fault in self._faults(recipient)]
        names = [recipient.name for recipient in self.recipients]
        twice = sorted({name for name in names if names.count(name) > 1})
        faults += [f"recipients: two are called {name!r}" for name in twice]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _faults(self, recipient: Recipient) -> list[str]:
        about = f"recipients, {recipient.name!r}"
        faults = []
        for name in recipient.channels:
            channel = self.channels.get(name)
            if channel is None:
                faults.append(f"{about}: there is no channel {name!r}{nearest_of(name, self.channels)}")
            elif channel.type == "smtp" and recipient.address is None:
                faults.append(f"{about}: the channel {name!r} is e-mail, and needs an address")
        if len(set(recipient.channels)) != len(recipient.channels):
            faults.append(f"{about}: a channel is named twice")
        return faults


@dataclass(frozen=True)
class Recipients:
    """The file, with the secrets of its channels by the channel's name: one password, or a webhook's, the newest first."""

    channels: Mapping[str, ChannelConfig]
    people: tuple[Recipient, ...]
    secrets: Mapping[str, tuple[SecretStr, ...]] = field(default_factory=dict)
    grouping: Grouping = field(default_factory=Grouping)

    def fingerprint(self, channel: str) -> str:
        """Another whenever the channel is configured otherwise; a new webhook secret counts, a mail password does not."""
        config = self.channels[channel]
        parts = [rfc8785.dumps(config.model_dump(mode="json"))]
        if isinstance(config, WebhookChannelConfig):
            # These are long and drawn by chance, so that nothing can be guessed back from the hash.
            parts += [secret.get_secret_value().encode() for secret in (config.url, *self.secrets[channel])]
        return hashlib.sha256(b"\0".join(parts)).hexdigest()


#: Without a file: the terminal.
TERMINAL: Final = Recipients(
    channels={"console": ConsoleChannelConfig(type="console")},
    people=(Recipient(name="terminal", role="operator", channels=("console",)),),
)


def load_recipients(path: Path | None, protocol: TrialProtocol) -> Recipients:
    """The recipients of a file; the terminal without one. Raises :class:`RecipientsError` with a sentence for every fault.

    A filter names populations of the protocol: with a misspelt one nobody would be told.
    """
    if path is None:
        return TERMINAL
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipientsError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise RecipientsError(f"{path}: not TOML: {error}") from None
    try:
        file = RecipientsFile.model_validate(values)
    except ValidationError as error:
        raise RecipientsError(f"{path}: {sentence_of(error, _keys_known)}") from None
    try:
        _check_populations(file, protocol.populations)
        return _with_secrets(file, path.parent)
    except ValueError as error:
        raise RecipientsError(f"{path}: {error}") from None


def _check_populations(file: RecipientsFile, known: Sequence[str]) -> None:
    for number, recipient in enumerate(file.recipients):
        for population in sorted(recipient.populations or ()):
            if population not in known:
                raise ValueError(f"recipients[{number}].populations: {population!r} is not one of {listed(known)}")


def _with_secrets(file: RecipientsFile, beside: Path) -> Recipients:
    """The secrets read. A relative path is meant from the file that names it."""
    secrets: dict[str, tuple[SecretStr, ...]] = {}
    channels: dict[str, ChannelConfig] = {}
    for name, config in file.channels.items():
        channels[name] = config
        if isinstance(config, WebhookChannelConfig):
            secrets[name] = read_webhook_secrets(f"channels.{name}.secret_file", beside / config.secret_file)
        if isinstance(config, SmtpChannelConfig):
            if config.password_file is not None:
                secrets[name] = (read_password(f"channels.{name}.password_file", beside / config.password_file),)
            if config.ca_file is not None:
                if not (beside / config.ca_file).is_file():
                    raise ValueError(f"channels.{name}.ca_file: there is no file {beside / config.ca_file}")
                channels[name] = config.model_copy(update={"ca_file": beside / config.ca_file})
    return Recipients(channels, file.recipients, secrets, file.grouping)


def _keys_known(place: tuple[str | int, ...]) -> list[str]:
    """The keys that may stand at a place of the file, as pydantic names it (a channel by its name and type)."""
    models: dict[str, type[RecipientSection]] = {
        "console": ConsoleChannelConfig,
        "smtp": SmtpChannelConfig,
        "webhook": WebhookChannelConfig,
    }
    if place and place[0] == "channels":
        model = models[str(place[2])]
    elif place and place[0] == "grouping":
        model = Grouping
    else:
        model = Recipient if place else RecipientsFile
    return [info.alias or name for name, info in model.model_fields.items()]
