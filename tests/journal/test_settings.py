from __future__ import annotations

import logging

import pytest

from kohakuboard.errors import SettingError
from kohakuboard.journal.settings import Settings, settings


def test_an_argument_goes_before_the_environment_and_that_before_the_default() -> None:
    variables = {"KOHAKUBOARD_JOURNAL": "write", "KOHAKUBOARD_SYNC_EVERY_S": "2.5"}
    assert settings("mapped", 0, variables) == Settings("mapped", 0.0)
    assert settings(None, None, variables) == Settings("write", 2.5)
    assert settings(None, None, {}) == Settings(None, 5.0)


def test_the_writer_reads_from_its_environment_what_was_set() -> None:
    for given in (Settings(None, 5.0), Settings("write", 0.25)):
        assert settings(environment=given.environment()) == given


@pytest.mark.parametrize("value", ["fast", "", "Mapped", 3])
def test_a_wrong_way_is_an_error_that_names_it_and_the_cure(value: str) -> None:
    with pytest.raises(SettingError, match=f"journal cannot be {value!r}; set it to 'mapped' or 'write'"):
        settings(journal=value, environment={})


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "soon", 10**400])
def test_a_wrong_interval_is_an_error_that_names_it_and_the_cure(value: float) -> None:
    with pytest.raises(SettingError, match=r"sync_every_s cannot be .*; set it to a number of seconds"):
        settings(sync_every_s=value, environment={})


def test_a_wrong_variable_ends_nothing_and_is_named(caplog: pytest.LogCaptureFixture) -> None:
    variables = {"KOHAKUBOARD_JOURNAL": "fast", "KOHAKUBOARD_SYNC_EVERY_S": "often"}
    with caplog.at_level(logging.WARNING):
        assert settings(None, None, variables) == Settings(None, 5.0)
    first, second = caplog.messages
    assert first.startswith("KOHAKUBOARD_JOURNAL cannot be 'fast'; set it to 'mapped' or 'write'")
    assert second.startswith("KOHAKUBOARD_SYNC_EVERY_S cannot be 'often'; set it to a number of seconds")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4GiB", 4 << 30),
        ("500MB", 500_000_000),
        ("1.5 gib", 3 << 29),
        ("10000000", 10_000_000),
        ("10000000B", 10_000_000),
        ("64M", 64_000_000),
        ("1t", 10**12),
    ],
)
def test_the_limit_of_the_journal_is_a_size_in_words(text: str, size: int) -> None:
    assert settings(environment={"KOHAKUBOARD_JOURNAL_LIMIT": text}).journal_limit_bytes == size
    assert settings(environment={}, journal_limit_bytes=9 << 20).journal_limit_bytes == 9 << 20


@pytest.mark.parametrize("text", ["much", "-1GiB", "1MB", "4 GiB or so", "GiB", "1e9"])
def test_a_limit_that_is_none_is_named_and_four_gib_are_used(
    caplog: pytest.LogCaptureFixture, text: str
) -> None:
    with caplog.at_level(logging.WARNING):
        assert settings(environment={"KOHAKUBOARD_JOURNAL_LIMIT": text}).journal_limit_bytes == 4 << 30
    (message,) = caplog.messages
    assert message.startswith(
        f"KOHAKUBOARD_JOURNAL_LIMIT cannot be {text!r}; set it to a size of 8 MiB or more"
    )
    assert message.endswith("; 4 GiB is used")
