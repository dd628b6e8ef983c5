"""What a webhook posts: the models that every body is built from, and that its published JSON Schema is generated from.

``python -m services.dispatcher.channels.webhook_body`` writes the schema again. Fields may be added under the same version, so
that the schema forbids no unknown ones; none is taken away, and none changes its meaning.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from events.alert import Change, Telling, Verdict
from events.envelope import InstantText
from events.schema_files import DIALECT

#: The name of the schema, for ``toxwatch schema`` and in its ``$id``.
NAME: Final = "toxwatch.webhook.v1"
FILE: Final = Path(__file__).with_name("schema") / f"{NAME}.json"

AlertType = Literal["toxwatch.alert.raised.v1", "toxwatch.alert.revised.v1", "toxwatch.alert.withdrawn.v1"]


class WebhookPart(BaseModel):
    """An object of the body. We write no field that is not declared; every declared one is there, null where it has no value."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class WebhookRecipient(WebhookPart):
    """Who is told, as the file of recipients names them."""

    name: str
    role: str


class Clinical(WebhookPart):
    """What only a recipient with `detail = "clinical"` is sent. It may name a diagnosis or an analyte."""

    questions: list[str] = Field(description="What would settle the alert, in words.")
    changes: list[Change] = Field(
        description="Every difference from the revision before, a reason in the site's own words included."
    )


class WebhookAlert(WebhookPart):
    """What every alert says."""

    alert_id: str = Field(description="The same for every revision of the alert. Acknowledge, group and thread by it.")
    handle: str = Field(description="A short name of the alert for people, such as 7Q2M-4D.")
    revision: int = Field(
        ge=1, description="1, 2, …: the highest is in effect. Ignore one that is lower than you know."
    )
    trial: str
    site: str | None = Field(description="The site of the subject, or of the refused events; null where none is known.")
    urgency: Literal["urgent", "prompt", "routine"]
    telling: Telling = Field(description="`news` may wake somebody. `quiet` and `silent` must not.")
    headline: str = Field(description="One line for people, without a clinical word.")
    link: str = Field(description="Where a person reads on.")
    recipient: WebhookRecipient
    dose_level: int | None = Field(ge=1)
    count: int | None = Field(
        ge=0, description="How many things the alert is about: for a dose level on hold, subjects with a DLT."
    )
    out_of: int | None = Field(ge=0, description="For a dose level on hold: how many subjects were treated there.")
    open_questions: int = Field(ge=0, description="How many questions are open. Their words are clinical.")
    what_changed: list[str] = Field(description="Since the revision before, such as `DLT-2: met -> no`.")
    changed_by: str | None = Field(description="Source and id of the event that made the change.")
    detail: Literal["minimal", "clinical"] = Field(description="What this recipient is sent (see `clinical`).")
    clinical: Clinical | None = Field(description="Null unless `detail` is `clinical`.")


class SubjectAlert(WebhookAlert):
    """An alert about a subject: it has `subject`."""

    subject: str = Field(description="The study's pseudonymous id.")
    population: str | None = Field(description="`part-<name of the part, in lower case>` or `part-unknown`.")
    verdict: Verdict | None = Field(description="Null once the alert is withdrawn.")
    previous_verdict: Verdict | None
    clauses: dict[str, Verdict] = Field(description="The clauses that are met, or may be. Empty once it is withdrawn.")
    counts_as_dlt: bool


class OtherAlert(WebhookAlert):
    """An alert about a dose level, or about Toxwatch itself: it has `case`."""

    case: str = Field(description="Such as `cohort:A/2`, `intake:FR01/schema`, `undelivered:mail`.")
    part: str | None = Field(description="The part whose dose level is on hold, such as `A`.")
    sentence: str = Field(description="What it means and what to do.")


class AlertBody(WebhookPart):
    """One revision of one alert."""

    type: AlertType
    timestamp: InstantText = Field(
        description="When it was detected. The `webhook-timestamp` header says when it was sent."
    )
    data: SubjectAlert | OtherAlert


class DigestData(WebhookPart):
    """What a message about several alerts lists."""

    recipient: WebhookRecipient
    alerts: list[AlertBody] = Field(min_length=2, description="Each as it would be alone, by importance.")


class DigestBody(WebhookPart):
    """Several alerts in one message, none of them urgent: what came within a minute, or waited for an outage to end."""

    type: Literal["toxwatch.alert.digest.v1"]
    timestamp: InstantText = Field(description="When the newest of them was detected.")
    data: DigestData


class ChannelTestData(WebhookPart):
    """What a test says."""

    deployment: str
    sentence: str
    recipient: WebhookRecipient


class ChannelTestBody(WebhookPart):
    """Somebody asked for a message to see whether it arrives (`toxwatch test-message`). Answer 2xx, and do nothing."""

    type: Literal["toxwatch.test.v1"]
    timestamp: InstantText = Field(description="When it was asked for.")
    data: ChannelTestData


#: Everything that a webhook posts, told apart by its ``type``. A receiver passes over a type that it does not know.
Body = Annotated[AlertBody | DigestBody | ChannelTestBody, Field(discriminator="type")]
_BODY: Final[TypeAdapter[AlertBody | DigestBody | ChannelTestBody]] = TypeAdapter(Body)


def written(body: AlertBody | DigestBody | ChannelTestBody) -> str:
    """The JSON text; the same for the same body."""
    return body.model_dump_json()


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of everything that a webhook posts."""
    return {
        "$schema": DIALECT,
        "$id": f"urn:toxwatch:schema:{NAME}",
        "title": "What a Toxwatch webhook posts",
        **_open_to_more(_BODY.json_schema(mode="serialization")),
    }


def schema_text() -> str:
    """What the published file must contain."""
    return json.dumps(schema(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _open_to_more(schema: Any) -> Any:
    """The schema, without "nothing else": a receiver must not refuse a field that a later version adds."""
    if isinstance(schema, list):
        return [_open_to_more(item) for item in schema]
    if isinstance(schema, dict):
        return {
            key: _open_to_more(item) for key, item in schema.items() if (key, item) != ("additionalProperties", False)
        }
    return schema


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(schema_text(), encoding="utf-8")
