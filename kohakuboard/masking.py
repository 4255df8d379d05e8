"""Take secrets out of what is captured: command lines, environment variables, diffs, addresses, configs.

Two things make a text a secret: the name that it goes by, and what it looks like.

    name                                       its value becomes ***
    api_key, HF_TOKEN, db.password, apiKey …   always
    key, sort_key, pad_token, auth …           only if it looks drawn at random: these are names of other things, too
    tokenizer, max_tokens, num_keys, monkey    never

Whatever its name, what begins like a token of a known service is masked, and the credentials in an address are. Numbers
are never secrets. Light, as it runs in the training process: only `re`, and patterns are compiled when first used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

__all__ = ["MASK", "is_secret_name", "masked", "masked_arguments", "masked_text", "without_credentials"]

MASK: Final = "***"

_ALWAYS: Final = frozenset(
    ("password", "passwd", "passphrase", "secret", "secrets", "credential", "credentials", "authorization", "webhook")
)  # fmt: skip
# Written as one word, or with the name of a service in front.
_ENDINGS: Final = (
    "password",
    "passwd",
    "passphrase",
    "apikey",
    "authtoken",
    "accesstoken",
    "secretkey",
    "accesskey",
)
_KINDS_OF_KEY: Final = frozenset(
    ("access", "account", "anthropic", "api", "auth", "aws", "azure", "cohere", "comet", "deploy", "encryption", "gcp",
     "google", "license", "neptune", "openai", "private", "secret", "service", "shared", "signing", "ssh", "storage",
     "subscription", "wandb")
)  # fmt: skip
_KINDS_OF_TOKENS: Final = frozenset(("access", "api", "auth", "bearer", "refresh", "secret"))
# Tokens of a vocabulary, and flags.
_NO_KINDS_OF_TOKEN: Final = frozenset(
    ("added", "additional", "audio", "bos", "class", "cls", "decoder", "end", "eos", "extra", "fim", "first", "forced",
     "image", "last", "mask", "middle", "new", "next", "no", "of", "pad", "padding", "per", "prefix", "prev", "query",
     "sep", "special", "start", "stop", "suffix", "think", "thinking", "tool", "trigger", "unk", "use", "user", "video",
     "word")
)  # fmt: skip
# Of a secret, but none itself.
_ABOUT: Final = frozenset(
    ("count", "dir", "enabled", "file", "id", "ids", "len", "length", "name", "names", "num", "path", "required",
     "size", "type")
)  # fmt: skip
_PERHAPS: Final = frozenset(("auth", "cookie", "cred", "creds", "key", "pass", "pwd", "session", "token"))

_ALWAYS_SECRET, _PERHAPS_SECRET, _NO_SECRET = "always", "perhaps", "never"


def is_secret_name(name: str) -> bool:
    """Tell whether what goes by a name is a secret, whatever it looks like."""
    return _verdict(name) == _ALWAYS_SECRET


def masked(value: Any, name: str = "") -> Any:
    """Return a plain value, of any depth, with `***` in place of each text that is a secret.

    Args:
        value: A dict, list, text, number or None.
        name: What it goes by. Of a dict, names are those of its keys.
    """
    if isinstance(value, str):
        return _masked_value(value, name)
    if isinstance(value, Mapping):
        whole = bool(name) and is_secret_name(name)
        return {key: masked(item, name if whole else str(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(item, name) for item in value]
    return value


def masked_arguments(arguments: Sequence[str]) -> list[str]:
    """Return a command line with `***` in place of secrets: `--token x`, `--token=x` and `db.password=x` alike."""
    found: list[str] = []
    flag = ""
    for argument in arguments:
        value_of, flag = flag, ""
        if value_of and not argument.startswith("-"):
            found.append(_masked_value(argument, value_of))
            continue
        assigned = _pattern(_OPTION).fullmatch(argument)
        if assigned is not None:
            found.append(
                assigned["name"] + assigned["sign"] + _masked_value(assigned["value"], assigned["name"])
            )
        elif argument.startswith("-"):
            flag = argument
            found.append(argument)
        else:
            found.append(masked_text(argument))
    return found


def masked_text(text: str) -> str:
    """Return a text, such as a diff, with `***` in place of secrets: also where one is assigned to a name."""
    if "PRIVATE KEY" in text:
        text = _pattern(_PRIVATE_KEY, re.DOTALL).sub(rf"\1{MASK}\2", text)
    text = _pattern(_ASSIGNMENT).sub(_masked_assignment, text)
    return _without_known(text)


def without_credentials(address: str) -> str:
    """Return the address of a repository without user and password; the user of an SSH address stays."""
    return _without_known(address).replace(f"{MASK}@", "")


def _masked_value(value: str, name: str) -> str:
    verdict = _verdict(name) if value else _NO_SECRET
    if verdict == _ALWAYS_SECRET or (verdict == _PERHAPS_SECRET and _looks_random(value)):
        return MASK
    return _without_known(value)


def _without_known(text: str) -> str:
    """Mask what is a secret whatever its name: credentials in addresses, tokens of known services."""
    if "://" in text:
        text = _pattern(_CREDENTIALS).sub(_masked_credentials, text)
        text = _pattern(_WEBHOOK).sub(rf"\1{MASK}", text)
        text = _pattern(_PARAMETER).sub(_masked_parameter, text)
    return _pattern(_TOKEN).sub(MASK, text) if len(text) >= _SHORTEST_TOKEN else text


# The word before a token's end tells what kind it is, so names are looked at word by word: API_KEY, apiKey, api-key.
_WORD: Final = r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+"


@lru_cache(maxsize=4096)
def _verdict(name: str) -> str:
    words = [word.lower() for word in _pattern(_WORD).findall(name[-200:])]
    if not words or words[-1] in _ABOUT:
        return _NO_SECRET
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if not _ALWAYS.isdisjoint(words) or last.endswith(_ENDINGS):
        return _ALWAYS_SECRET
    if last == "token":
        return _PERHAPS_SECRET if before in _NO_KINDS_OF_TOKEN else _ALWAYS_SECRET
    kinds = {"key": _KINDS_OF_KEY, "keys": _KINDS_OF_KEY, "tokens": _KINDS_OF_TOKENS}.get(
        last, frozenset[str]()
    )
    if before in kinds or (last in ("pwd", "pass") and name.isupper() and before):
        return _ALWAYS_SECRET
    return _PERHAPS_SECRET if last in _PERHAPS else _NO_SECRET


def _looks_random(value: str) -> bool:
    """Tell whether a text could have been drawn by lot: long, in one piece, letters and digits mixed."""
    digits = sum(char.isdigit() for char in value)
    in_one_piece = _pattern(r"[A-Za-z0-9+/=_.~-]{16,}").fullmatch(value) is not None
    return in_one_piece and 3 <= digits < len(value) and not value.startswith(("/", "./", "../", "~"))


@lru_cache
def _pattern(pattern: str, flags: int = 0) -> re.Pattern[str]:
    return re.compile(pattern, flags)


# Each repetition that could meet a megabyte without an end to it has a limit, or begins only where a word does.
_OPTION: Final = r"(?s)(?P<name>[-+~]*[A-Za-z_][\w./@-]*)(?P<sign>=)(?P<value>.*)"
_CREDENTIALS: Final = r"(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.-]{1,20}://)([^\s/\"'<>]{1,1000})@"
_WEBHOOK: Final = r"(hooks\.slack\.com/(?:services|workflows)/|discord(?:app)?\.com/api/webhooks/)[^\s\"'<>]+"
_PARAMETER: Final = r"([?&])([\w.-]{1,80})=([^\s&#\"'<>]+)"
_TOKEN: Final = (
    r"(?<![A-Za-z0-9_-])(?:"
    r"gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|hf_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{30,}"
    r"|sk-(?=[\w-]{0,40}\d)[\w-]{20,}|xox[abeprs]-[\w-]{10,}|A[KS]IA[0-9A-Z]{16}|AIza[\w-]{30,}|pypi-[\w-]{40,}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,})"
    r"|(?<=\bBearer )(?=[\w.~+/-]{0,60}\d)[\w.~+/-]{12,}=*"
    r"|(?<=\bBasic )(?=[\w+/]{0,60}\d)[\w+/]{8,}=*"
)
_SHORTEST_TOKEN: Final = 14
_PRIVATE_KEY: Final = (
    r"(-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----).*?(-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)"
)
_ASSIGNMENT: Final = (
    r"(?<![\w.])(?P<name>[A-Za-z_][\w.-]{0,80})"
    r"(?P<between>[\"']?\]?(?::[ ]?[A-Za-z_][\w.]{0,40})?[ \t]{0,20}(?::=|=>|[:=])[ \t]{0,20}[rbfRBF]?)"
    r"(?P<value>\"[^\"\n]*\"|'[^'\n]*'|[^\s\"',;&(){}\[\]]+)(?P<after>[ ]?[(\[]?)"
)
_TYPES: Final = frozenset(
    ("str", "int", "bool", "bytes", "None", "null", "true", "false", "True", "False", "string")
)


def _masked_credentials(match: re.Match[str]) -> str:
    scheme, user = match[1], match[2]
    if "ssh" in scheme.lower() and ":" not in user:
        return match[0]
    return f"{scheme}{MASK}@"


def _masked_parameter(match: re.Match[str]) -> str:
    return f"{match[1]}{match[2]}={_masked_value(match[3], match[2])}"


def _masked_assignment(match: re.Match[str]) -> str:
    value, verdict = match["value"], _verdict(match["name"])
    quote = value[0] if value[0] in "\"'" else ""
    text = value[1:-1] if quote else value
    if verdict == _NO_SECRET or not text or (verdict == _PERHAPS_SECRET and not _looks_random(text)):
        return match[0]
    if not quote and (match["after"].strip() or not _is_literal(text, match["between"])):
        return match[0]
    return f"{match['name']}{match['between']}{quote}{MASK}{quote}{match['after']}"


def _is_literal(text: str, between: str) -> bool:
    """Tell whether an unquoted value stands for itself, as in a .env or YAML file, and names no variable."""
    if text in _TYPES or text.startswith(("$", "<", "=")):
        return False
    is_name = all(part.isidentifier() for part in text.split("."))
    # password=hunter in a shell; token = other_name in a program.
    return not is_name or any(char.isdigit() for char in text) or between == "=" or between.endswith(": ")
