from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone

import pytest

from kohakuboard_viewer.present import (
    duration,
    flatten,
    has_words,
    main_metrics,
    moment,
    namespace,
    number,
    size,
    split_words,
    text,
)

NOW = datetime(2026, 11, 23, 15, 30, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0, "0"),
        (1234567, "1\u202f234\u202f567"),
        (10**20, "100" + 6 * "\u202f000"),
        (3.0, "3"),
        (0.1 + 0.2, "0.3"),
        (0.123456, "0.12346"),
        (51558.23, "51\u202f558"),
        (1234567.8, "1.2346e6"),
        (1.5421e-10, "1.5421e-10"),
        (2e300, "2e300"),
        (math.nan, "NaN"),
        (-math.inf, "-∞"),
        (True, "true"),
        ("text", "text"),
    ],
)
def test_numbers_are_short_and_grouped(value: object, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.04, "0.0 s"),
        (42.6, "42 s"),
        (61, "1 min 01 s"),
        (3600 * 5 + 59, "5 h 00 min"),
        (86400 * 3 + 7200, "3 d 2 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("when", "shown"),
    [
        (datetime(2026, 11, 23, 8, 5, tzinfo=timezone.utc), "today 10:05"),
        (datetime(2026, 11, 22, 23, 30, tzinfo=timezone.utc), "today 01:30"),
        (datetime(2026, 3, 1, 8, 5, tzinfo=timezone.utc), "1 Mar 10:05"),
        (datetime(2025, 3, 1, 8, 5, tzinfo=timezone.utc), "1 Mar 2025"),
        (datetime(1970, 1, 1, tzinfo=timezone.utc), "–"),
    ],
)
def test_a_moment_is_told_in_the_time_zone_of_the_reader(when: datetime, shown: str) -> None:
    assert moment(when, NOW) == shown


def test_nested_config_is_flattened_to_its_leaves() -> None:
    config = {"optimizer": {"name": "adam", "betas": [0.9, 0.95]}, "lr": 1e-4, "empty": {}, "flag": None}
    assert list(flatten(config)) == [
        ("optimizer.name", "adam"),
        ("optimizer.betas", "[0.9, 0.95]"),
        ("lr", "0.0001"),
        ("empty", "{}"),
        ("flag", "null"),
    ]


def test_long_text_is_cut() -> None:
    assert len(text("x" * 10_000)) < 3000


def test_every_word_of_a_filter_must_occur_somewhere() -> None:
    words = split_words("  ResNet finished ")
    assert has_words(words, "resnet-baseline", None, "finished")
    assert not has_words(words, "resnet-baseline", "failed")
    assert has_words([], None)


def test_a_namespace_ends_at_the_first_slash() -> None:
    assert [namespace(name) for name in ("train/loss", "layer/0/norm", "lr")] == ["train", "layer", ""]


def test_validation_comes_before_training_and_scores_before_the_rest() -> None:
    names = ["lr", "train/loss", "throughput", "epoch", "val/acc", "val/loss", "system/gpu"]
    assert main_metrics(dict.fromkeys(names, 3), 4) == ["val/acc", "val/loss", "train/loss", "throughput"]


def test_columns_are_metrics_that_many_runs_share() -> None:
    assert main_metrics({"loss": 4, "odd/loss": 1}, 5) == ["loss"]


def test_a_learning_rate_is_shown_where_nothing_else_was_logged() -> None:
    assert main_metrics({"lr": 2, "epoch": 1}, 5) == ["lr", "epoch"]
    assert main_metrics({}, 5) == []


@pytest.mark.parametrize(
    ("n_bytes", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1_234_567, "1.23 MB"),
        (10**10, "10 GB"),
        (10**16, "10000 TB"),
    ],
)
def test_sizes_are_told_in_the_largest_unit_they_have_one_of(n_bytes: int, words: str) -> None:
    assert size(n_bytes) == words
