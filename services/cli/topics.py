"""``toxwatch topics``: make the topics of a deployment on Kafka, or say what is not as it has to be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from services.log.kafka_client import Cluster, cluster_of
from services.platform.settings import Settings, SettingsError
from services.terminal.live_options import Config, settings_of

if TYPE_CHECKING:
    from services.log.topics import Topic, TopicAdmin

DIFFERENT: Final = 1

topics_app = typer.Typer(help="The topics of a deployment on Kafka.", no_args_is_help=True)


@topics_app.callback()
def topics_group() -> None:
    """The topics of a deployment on Kafka."""


@topics_app.command("create")
def create_topics(config: Config = None) -> None:
    """Make the topics that are missing. Those that are there are left as they are."""
    admin, topics = _meant(config)
    made = admin.create(topics)
    for name in made:
        typer.echo(name)
    typer.echo(f"toxwatch: made {len(made)} topics; {len(topics) - len(made)} were there", err=True)


@topics_app.command("check")
def check_topics(config: Config = None) -> None:
    """Say what is not as declared, a line each. Exits with 1 where there is anything."""
    admin, topics = _meant(config)
    found = list(admin.differences(topics))
    for difference in found:
        typer.echo(difference)
    typer.echo(f"toxwatch: of {len(topics)} topics, {len(found) or 'nothing'} differs", err=True)
    raise typer.Exit(DIFFERENT if found else 0)


@topics_app.command("grant")
def grant_rights(config: Config = None) -> None:
    """Give each service, and each outside producer, the rights on the brokers that it needs (brokers with an authorizer).

    Exits with 1, and says so, where somebody may do more than is declared.
    """
    # The client takes a third of a second to import, which no other command should spend.
    from services.log.rights import RightsAdmin, declared_rights

    settings, cluster, intakes = _settings(config)
    rights, admin = declared_rights(settings.topic_prefix, intakes), RightsAdmin(cluster)
    given = admin.grant(rights)
    for right in given:
        typer.echo(right)
    typer.echo(f"toxwatch: gave {len(given)} rights; {len(rights) - len(given)} were there", err=True)
    beyond = list(admin.beyond(rights))
    for said in beyond:
        typer.echo(f"toxwatch: beyond what is declared: {said}", err=True)
    raise typer.Exit(DIFFERENT if beyond else 0)


def _meant(config: Path | None) -> tuple[TopicAdmin, list[Topic]]:
    from services.log.topics import TopicAdmin, declared

    settings, cluster, intakes = _settings(config)
    return TopicAdmin(cluster), declared(settings.topic_prefix, settings.clinical_partitions, intakes)


def _settings(config: Path | None) -> tuple[Settings, Cluster, list[str]]:
    """The settings, the cluster, and the names of the intake topics."""
    from services.gateway.intake_topics import load_intake_topics

    settings = settings_of(None, config)
    try:
        return settings, cluster_of(settings), [topic.name for topic in load_intake_topics(settings.intake)]
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from None
