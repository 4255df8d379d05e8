"""What is captured without asking holds no secrets, and is not torn to pieces by the search for them."""

from __future__ import annotations

import pytest

from kohakuboard.masking import is_secret_name, masked, masked_arguments, masked_text, without_credentials

# Put together here, so that nobody's scanner takes them for real ones.
GITHUB, HUGGING_FACE, OPENAI = "gh" + "p_" + "a1B2" * 9, "h" + "f_" + "aB3d" * 9, "s" + "k-proj-" + "x9Y8" * 8

SECRET_NAMES = """
    api_key apiKey API-KEY OPENAI_API_KEY HF_TOKEN token access_token refresh_tokens hf.token password DB_PASSWORD
    PGPASSWORD passphrase client_secret AWS_SECRET_ACCESS_KEY private_key credentials authorization DB_PWD wandb_key
    KOHAKUBOARD_ALERT_WEBHOOK webhook_url use_auth_token apikey
"""
HARMLESS_NAMES = """
    tokenizer tokenizer_name max_tokens num_tokens tokens_per_second token_id pad_token eos_token keyboard monkey keys
    num_keys sort_key image_key key primary_key donkey passes password_length secret_name token_type author
    KOHAKUBOARD_DIR PWD lr secretary
"""


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_a_name_tells_a_secret(name: str) -> None:
    assert is_secret_name(name)
    assert masked({name: "hunter"}) == {name: "***"}


@pytest.mark.parametrize("name", HARMLESS_NAMES.split())
def test_a_name_that_only_sounds_like_one_does_not(name: str) -> None:
    assert not is_secret_name(name)
    assert masked({name: "hunter"}) == {name: "hunter"}


def test_a_key_is_masked_if_it_looks_drawn_at_random() -> None:
    assert masked({"key": "9f86d081884c7d659a2feaa0c55ad015"}) == {"key": "***"}
    assert masked({"image_key": "observation.images.top"}) == {"image_key": "observation.images.top"}
    assert masked({"cache_key": "/data/cache/2024/11/24/run"}) == {"cache_key": "/data/cache/2024/11/24/run"}


@pytest.mark.parametrize("token", [GITHUB, HUGGING_FACE, OPENAI])
def test_the_token_of_a_known_service_is_masked_whatever_its_name(token: str) -> None:
    assert masked({"note": f"use {token} here"}) == {"note": "use *** here"}


def test_texts_at_any_depth_are_masked_and_numbers_are_not() -> None:
    config = {"logger": {"api_key": "x", "keys": ["a"]}, "api_keys": ["x", "y"], "token": None, "password": 5}
    expected = {
        "logger": {"api_key": "***", "keys": ["a"]},
        "api_keys": ["***"] * 2,
        "token": None,
        "password": 5,
    }
    assert masked(config) == expected
    assert masked({"credentials": {"user": "me", "id": 3}}) == {"credentials": {"user": "***", "id": 3}}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (["--api-key", "xyz", "--lr", "1"], ["--api-key", "***", "--lr", "1"]),
        (["--token=abc def", "-v"], ["--token=***", "-v"]),
        (["+db.password=x", "HF_TOKEN=y"], ["+db.password=***", "HF_TOKEN=***"]),
        (["--token", "--fast"], ["--token", "--fast"]),
        (["--data", "s3://me:pw@host/x"], ["--data", "s3://***@host/x"]),
        (["--tokenizer", "gpt2", "--max_tokens", "5"], ["--tokenizer", "gpt2", "--max_tokens", "5"]),
        (
            ["--pad_token", "<pad>", "--num_keys=3", "monkey"],
            ["--pad_token", "<pad>", "--num_keys=3", "monkey"],
        ),
    ],
)
def test_a_command_line_is_masked(given: list[str], shown: list[str]) -> None:
    assert masked_arguments(given) == shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('+API_KEY = "abc"', '+API_KEY = "***"'),
        ("-password: hunter2", "-password: ***"),
        ('+  "token": "abc",', '+  "token": "***",'),
        ("+export HF_TOKEN=abcd", "+export HF_TOKEN=***"),
        ('+os.environ["HF_TOKEN"] = "abc"', '+os.environ["HF_TOKEN"] = "***"'),
        ('+    token: str = "abc"', '+    token: str = "***"'),
        ("+url = https://bob:pw@host/x?api_key=abc&n=1", "+url = https://***@host/x?api_key=***&n=1"),
        ('+h = {"Authorization": f"Bearer abc123def456ghi"}', '+h = {"Authorization": f"***"}'),
        ("+curl -H 'X: Bearer abc123def456ghi'", "+curl -H 'X: Bearer ***'"),
        ("+POST https://hooks.slack.com/services/T0/B0/xx", "+POST https://hooks.slack.com/services/***"),
    ],
)
def test_a_line_of_a_diff_is_masked(line: str, shown: str) -> None:
    assert masked_text(line) == shown


@pytest.mark.parametrize(
    "line",
    [
        "+token = tokenizer.next_token()",
        "+password = getpass()",
        '+api_key = os.environ["API_KEY"]',
        "+def generate(token: str, max_tokens: int = 5) -> str:",
        '+batch.sort(key="length")',
        '+tokenizer.pad_token = "[PAD]"',
        "+self.token = token",
        "+see https://example.org/a@b and mail me@example.org",
    ],
)
def test_a_line_of_a_program_without_secrets_stays_as_it_is(line: str) -> None:
    assert masked_text(line) == line


def test_a_private_key_is_masked_over_all_its_lines() -> None:
    key = "+-----BEGIN RSA PRIVATE KEY-----\n+MIIE\n+abc\n+-----END RSA PRIVATE KEY-----\n+x"
    assert masked_text(key) == "+-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----\n+x"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://bob:token@github.com/a/b.git", "https://github.com/a/b.git"),
        (f"https://{GITHUB}@github.com/a/b.git", "https://github.com/a/b.git"),
        ("https://github.com/a/b.git", "https://github.com/a/b.git"),
        ("git@github.com:a/b.git", "git@github.com:a/b.git"),
        ("ssh://git@github.com/a/b.git", "ssh://git@github.com/a/b.git"),
    ],
)
def test_the_address_of_a_repository_loses_its_credentials(address: str, shown: str) -> None:
    assert without_credentials(address) == shown


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", ["a", "a.b-", "x = y\n", '"', "https://", "?a=b", "a:", " ", "x[", "-----BEGIN PRIVATE KEY"]
)
def test_a_megabyte_of_anything_is_searched_in_linear_time(piece: str) -> None:
    assert masked_text(piece * (500_000 // len(piece)))  # before the time limit
