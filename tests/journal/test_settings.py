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
