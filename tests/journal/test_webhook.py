from __future__ import annotations

import pytest

from kohakuboard.errors import SettingError
from kohakuboard.journal.settings import settings
from kohakuboard.journal.webhook import WEBHOOK_VARIABLE, read_webhook, take_webhook


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("https://hooks.slack.com/services/T/B/x", "slack"),
        ("https://discord.com/api/webhooks/1/x", "discord"),
        ("https://discordapp.com/api/webhooks/1/x", "discord"),
        ("https://example.org/hook", "json"),
        ("slack+https://chat.example.org/hooks/x", "slack"),
        ("json+http://[::1]:8000/", "json"),
    ],
)
def test_an_address_tells_what_its_server_takes(text: str, kind: str) -> None:
    found = read_webhook("webhook", text)
    assert found is not None
    assert (found.kind, found.url) == (kind, text.removeprefix(f"{kind}+"))
    assert read_webhook("webhook", found.text) == found


@pytest.mark.parametrize(
    "text", ["hooks.slack.com/x", "file:///etc/passwd", "https:///x/", "https://a b/", "x+https", 7]
)
def test_what_is_no_address_is_refused_and_not_said(text: object) -> None:
    with pytest.raises(SettingError) as caught:
        read_webhook("webhook", text)
    assert str(text) not in str(caught.value)


def test_a_wrong_variable_is_named_without_its_value(caplog: pytest.LogCaptureFixture) -> None:
    assert settings(environment={WEBHOOK_VARIABLE: "sekret"}).webhook is None
    assert "KOHAKUBOARD_WEBHOOK" in caplog.text
    assert "sekret" not in caplog.text


def test_an_argument_comes_before_the_variable_and_an_empty_one_means_none() -> None:
    environment = {WEBHOOK_VARIABLE: "https://example.org/from-variable"}
    found = settings(webhook="https://example.org/sekret", environment=environment)
    assert found.environment()[WEBHOOK_VARIABLE] == "json+https://example.org/sekret"
    assert "sekret" not in repr(found)
    assert settings(webhook="", environment=environment).webhook is None


def test_the_writer_takes_the_address_out_of_its_environment() -> None:
    environment = {WEBHOOK_VARIABLE: "https://example.org/sekret"}
    found = take_webhook(environment)
    assert found is not None
    assert found.url == "https://example.org/sekret"
    assert environment == {}
