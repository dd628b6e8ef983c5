"""The file of recipients: every way to be wrong has its sentence, and no secret gets out."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

import services.dispatcher.recipients as recipients_module
from projections.protocols.isi_jx import PROTOCOL
from services.dispatcher.recipient_faults import RecipientsError
from services.dispatcher.recipients import TERMINAL, load_recipients
from services.dispatcher.secret_files import WEBHOOK_SECRETS_MAX
from tests.dispatcher.files import MAIL_PASSWORD, WEBHOOK_SECRET, hook, mail, person, recipients, write

EXAMPLE = Path(recipients_module.__file__).with_name("recipients.example.toml")
OTHER_SECRETS = ["whsec_" + base64.b64encode(bytes([number]) * 24).decode() for number in range(1, 7)]
HOOK = hook("https://alerts.example.org/token-in-the-address")
ANN = person("ann", "hook")


def test_the_example_is_valid_and_shows_every_key(tmp_path: Path) -> None:
    """With the secrets it names beside it; each key of each table occurs, if only in a comment."""
    text = EXAMPLE.read_text(encoding="utf-8")
    for name, secret in (("mail.password", MAIL_PASSWORD), ("on-call.secret", WEBHOOK_SECRET)):
        (tmp_path / name).write_text(secret, encoding="utf-8")
        (tmp_path / name).chmod(0o600)
    file = tmp_path / "recipients.toml"
    file.write_text(text, encoding="utf-8")
    loaded = load_recipients(file, PROTOCOL)
    assert {person.name for person in loaded.people} == {"medical-monitor", "sponsor", "operator"}
    assert {config.type for config in loaded.channels.values()} == {"console", "smtp", "webhook"}
    keys = {
        info.alias or name
        for model in (recipients_module.SmtpChannelConfig, recipients_module.WebhookChannelConfig)
        for name, info in (*model.model_fields.items(), *recipients_module.Recipient.model_fields.items())
    }
    assert [key for key in keys if f"{key} = " not in text] == []


def test_without_a_file_alerts_go_to_the_terminal() -> None:
    """One recipient, who takes everything."""
    assert load_recipients(None, PROTOCOL) is TERMINAL
    assert [config.type for config in TERMINAL.channels.values()] == ["console"]
    assert TERMINAL.people[0].urgencies is None
    assert TERMINAL.people[0].operational


TLS = 'tls = "starttls"'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("channels =", "not TOML"),
        (ANN, "channels: missing"),
        (HOOK, "recipients: missing"),
        (HOOK + "\n[[recipients]]\n", "recipients[0].name: missing"),
        (
            HOOK + ANN + "urgency = ['urgent']",
            "recipients[0].urgency: there is no such key; the nearest is 'urgencies'",
        ),
        (
            hook("https://a.example", more="timout = 3") + ANN,
            "channels.hook.timout: there is no such key; the nearest is 'timeout'",
        ),
        ("[chanels]\n" + HOOK + ANN, "chanels: there is no such key; the nearest is 'channels'"),
        (HOOK + person("ann", "hok"), "recipients, 'ann': there is no channel 'hok'; the nearest is 'hook'"),
        (HOOK + person("ann", "hook hook"), "'ann': a channel is named twice"),
        (HOOK + ANN + ANN, "recipients: two are called 'ann'"),
        (HOOK + person("Ann", "hook"), "recipients[0].name: a name has lower-case letters"),
        (HOOK + person("ann", ""), "recipients[0].channels: at least one is needed"),
        (HOOK + person("ann", "hook", "urgencies = []"), "recipients[0].urgencies: at least one is needed"),
        (HOOK + person("ann", "hook", "levels = [0]"), "recipients[0].levels"),
        (HOOK + person("ann", "hook", "populations = ['part-c']"), "recipients[0].populations"),
        (HOOK + ANN.replace("ann@example.org", "ann"), "recipients[0].address: not an e-mail address"),
        (HOOK + ANN.replace("ann@example.org", "a@b.org, c@d.org"), "recipients[0].address: not an e-mail address"),
        (HOOK + ANN.replace("ann@example.org", "a@b.org\\r\\nBcc: c@d.org"), "recipients[0].address: not an e-mail"),
        ("[channels.hook]\nurl = 'https://a.example'\n" + ANN, "channels.hook.type: missing"),
        ("[channels.hook]\ntype = 'pager'\n" + ANN, 'channels.hook.type: not one of "console", "smtp" or "webhook"'),
        ("[channels.'a b']\ntype = 'console'\n" + person("ann", "a"), "a name has lower-case letters"),
        (hook("http://alerts.example.org/") + ANN, "channels.hook: url: plain http can be read on the way"),
        (hook("ftp://alerts.example.org/") + ANN, "channels.hook: url: not an address"),
        (HOOK.replace("hook.secret", "no.secret") + ANN, "no.secret cannot be read: No such file"),
        (mail(25, TLS + "\nusername = 'x'") + person("ann", "mail"), "username and password_file are given together"),
        (mail(25, "tls = 'maybe'") + person("ann", "mail"), "channels.mail.tls"),
        (mail(70000, TLS) + person("ann", "mail"), "channels.mail.port"),
        (mail(25, TLS + "\nca_file = 'no.pem'") + person("ann", "mail"), "channels.mail.ca_file: there is no file"),
        (mail(25, "tls = 'none'\nca_file = 'no.pem'") + person("ann", "mail"), "nothing is checked by it"),
        (mail(25, TLS) + person("ann", "mail").replace('address = "ann@example.org"', ""), "and needs an address"),
        (
            mail(25, "tls = 'none'\nusername = 'x'\npassword_file = 'mail.password'").replace("127.0.0.1", "mx.example")
            + person("ann", "mail"),
            "would send the password in clear",
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, sentence: str) -> None:
    """With the file and the key, and never with an address that may hold a token."""
    with pytest.raises(RecipientsError) as raised:
        recipients(tmp_path, text)
    assert sentence in str(raised.value)
    assert str(raised.value).startswith(str(tmp_path / "recipients.toml"))
    assert "token-in-the-address" not in str(raised.value)
    assert "\n" not in str(raised.value).removeprefix(str(tmp_path))


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    """By its name."""
    with pytest.raises(RecipientsError, match=r"none\.toml: cannot be read: No such file"):
        load_recipients(tmp_path / "none.toml", PROTOCOL)


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o666])
def test_a_secret_that_every_user_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    """To read it, or to put another in its place."""
    file = write(tmp_path, HOOK + ANN)
    (tmp_path / "hook.secret").chmod(mode)
    with pytest.raises(RecipientsError, match=r"hook\.secret; chmod 600 it"):
        load_recipients(file, PROTOCOL)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640])
def test_a_secret_for_its_owner_or_a_group_is_taken(tmp_path: Path, mode: int) -> None:
    """As services and containers hold them."""
    file = write(tmp_path, HOOK + ANN)
    (tmp_path / "hook.secret").chmod(mode)
    assert load_recipients(file, PROTOCOL).secrets["hook"][0].get_secret_value() == WEBHOOK_SECRET


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "secret-without-prefix",
        "whsec_not*base64",
        "whsec_" + base64.b64encode(b"short").decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        WEBHOOK_SECRET + "\nsecret-without-prefix",
        "\n\n".join(OTHER_SECRETS[:2]),
    ],
)
def test_a_secret_that_cannot_sign_is_refused_and_not_quoted(tmp_path: Path, secret: str) -> None:
    """Wrong form, too short, too long, a second one or a line that is none."""
    file = write(tmp_path, HOOK + ANN)
    (tmp_path / "hook.secret").write_text(secret, encoding="utf-8")
    with pytest.raises(RecipientsError, match=r"channels\.hook\.secret_file") as raised:
        load_recipients(file, PROTOCOL)
    assert not secret or secret not in str(raised.value)


@pytest.mark.parametrize("count", range(1, WEBHOOK_SECRETS_MAX + 1))
def test_a_webhook_may_have_several_secrets(tmp_path: Path, count: int) -> None:
    """One a line, in their order; another set of them is another configuration."""
    file = write(tmp_path, HOOK + ANN)
    one = load_recipients(file, PROTOCOL)
    (tmp_path / "hook.secret").write_text("\r\n".join(OTHER_SECRETS[:count]) + "\n\n", encoding="utf-8")
    loaded = load_recipients(file, PROTOCOL)
    assert [secret.get_secret_value() for secret in loaded.secrets["hook"]] == OTHER_SECRETS[:count]
    assert loaded.fingerprint("hook") != one.fingerprint("hook")
    assert not [secret for secret in OTHER_SECRETS if secret in repr(loaded)]


@pytest.mark.parametrize(
    ("secrets", "sentence"),
    [
        (OTHER_SECRETS[: WEBHOOK_SECRETS_MAX + 1], "hook.secret has 5 lines; it may hold at most 4 secrets"),
        ([*OTHER_SECRETS[:2], OTHER_SECRETS[0]], "hook.secret are the same secret; remove one of them"),
        ([OTHER_SECRETS[0], "whsec_c2hvcnQ="], "hook.secret has 5 bytes; 24 to 64 are needed"),
        ([OTHER_SECRETS[0], "whsec_*"], "hook.secret must hold whsec_ followed by base64"),
    ],
)
def test_what_is_wrong_with_several_secrets_names_the_line(tmp_path: Path, secrets: list[str], sentence: str) -> None:
    """And quotes none of them."""
    file = write(tmp_path, HOOK + ANN)
    (tmp_path / "hook.secret").write_text("\n".join(secrets), encoding="utf-8")
    with pytest.raises(RecipientsError) as raised:
        load_recipients(file, PROTOCOL)
    assert sentence in str(raised.value)
    assert "line" in str(raised.value)
    assert not [secret for secret in secrets if secret in str(raised.value)]


def test_a_password_is_one_line(tmp_path: Path) -> None:
    """A file of several is the wrong file."""
    file = write(tmp_path, mail(25, TLS + "\nusername = 'x'\npassword_file = 'mail.password'") + person("ann", "mail"))
    (tmp_path / "mail.password").write_text("one\ntwo", encoding="utf-8")
    with pytest.raises(RecipientsError, match=r"mail\.password must hold one line"):
        load_recipients(file, PROTOCOL)


def test_detail_is_minimal_unless_something_else_is_said(tmp_path: Path) -> None:
    """Clinical words leave only for those who are named for it; a misspelt one is refused."""
    (ann,) = recipients(tmp_path, HOOK + ANN).people
    assert ann.detail == "minimal"
    (ann,) = recipients(tmp_path, HOOK + person("ann", "hook", 'detail = "clinical"')).people
    assert ann.detail == "clinical"
    with pytest.raises(RecipientsError, match=r"recipients\[0\]\.detail: input should be 'minimal' or 'clinical'"):
        recipients(tmp_path, HOOK + person("ann", "hook", 'detail = "full"'))


def test_secrets_are_in_no_representation(tmp_path: Path) -> None:
    """Neither the password nor the webhook's secret nor its address."""
    login = "tls = 'none'\nusername = 'x'\npassword_file = 'mail.password'"
    loaded = recipients(tmp_path, HOOK + mail(25, login) + person("ann", "mail hook"))
    shown = repr(loaded) + str(loaded) + repr(loaded.secrets)
    assert loaded.secrets["mail"][0].get_secret_value() == MAIL_PASSWORD
    assert [word for word in (MAIL_PASSWORD, WEBHOOK_SECRET, "token-in-the-address") if word in shown] == []


def test_plain_http_is_for_this_machine_or_by_choice(tmp_path: Path) -> None:
    """A loopback address needs no leave."""
    for url in ("http://localhost:8000/x", "http://127.0.0.1/x", "http://[::1]/x"):
        assert recipients(tmp_path, hook(url) + ANN)
    assert recipients(tmp_path, hook("http://alerts.example.org/", more="allow_http = true") + ANN)


@pytest.mark.parametrize(
    "changed",
    [
        hook("https://alerts.example.org/another"),
        hook("https://alerts.example.org/token-in-the-address", more="timeout = 3"),
    ],
)
def test_the_fingerprint_is_that_of_the_configuration(tmp_path: Path, changed: str) -> None:
    """The same for the same file, another for another address, timeout or secret."""
    first = recipients(tmp_path, HOOK + ANN).fingerprint("hook")
    assert recipients(tmp_path, HOOK + ANN).fingerprint("hook") == first
    assert recipients(tmp_path, changed + ANN).fingerprint("hook") != first
    file = write(tmp_path, HOOK + ANN)
    (tmp_path / "hook.secret").write_text("whsec_" + base64.b64encode(b"y" * 24).decode(), encoding="utf-8")
    assert load_recipients(file, PROTOCOL).fingerprint("hook") != first
