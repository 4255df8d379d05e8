"""What a file is, by its first bytes: never by what it is called, and never as something that runs."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from kohakuboard.storage.media_types import HEAD_BYTES, extension_of, media_type

FTYP = b"\0\0\0\x20ftyp"


def encoded(form: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, form)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"])
def test_pictures_are_recognised_as_pillow_writes_them(form: str) -> None:
    assert extension_of(encoded(form)[:HEAD_BYTES]) == form.lower()


@pytest.mark.parametrize(
    ("head", "extension"),
    [
        (FTYP + b"isom", "mp4"),
        (FTYP + b"qt  ", "mov"),
        (FTYP + b"M4A ", "m4a"),
        (b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm", "webm"),
        (b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\x82\x88matroska", "mkv"),
        (b"OggS\0\x02" + bytes(22) + b"\x01vorbis", "ogg"),
        (b"OggS\0\x02" + bytes(22) + b"\x80theora", "ogv"),
        (b"RIFF\0\0\0\0WAVEfmt ", "wav"),
        (b"RIFF\0\0\0\0AVI LIST", "avi"),
        (b"fLaC\0\0\0\x22", "flac"),
        (b"ID3\x04\0\0", "mp3"),
        (b"\xff\xfb\x90\x64", "mp3"),
        (b"\xff\xf3\x40\xc0", "mp3"),
        (b"\xff\xf1\x50\x80", "aac"),
        (b"\xff\xff\xff\xff", "bin"),
        (b"%PDF-1.7\n", "pdf"),
        (b"plain words, caf\xc3\xa9\n", "txt"),
        (b"\xe9\xe8 latin", "bin"),
        (b"\0\1\2", "bin"),
        (b"", "bin"),
    ],
)
def test_other_types_are_recognised_by_what_their_formats_say(head: bytes, extension: str) -> None:
    assert extension_of(head) == extension


@pytest.mark.parametrize(
    ("text", "extension"),
    [
        ("<svg xmlns='http://www.w3.org/2000/svg'/>", "svg"),
        ("\ufeff<?xml version='1.0'?>\n<!-- <html> -->\n<!DOCTYPE svg PUBLIC 'x'>\n<svg:svg>", "svg"),
        ("<!doctype HTML><svg>", "html"),
        ("  <HTML><body>", "html"),
        ("<script>alert(1)</script>", "html"),
        ("a < b", "txt"),
        ("<!-- never closed <svg>", "txt"),
        ("<svgx>", "txt"),
    ],
)
def test_markup_is_told_from_text_by_its_first_element(text: str, extension: str) -> None:
    assert extension_of(text.encode()) == extension


def test_made_up_markup_is_read_in_no_time() -> None:
    """A pattern with nested repetitions took as good as for ever on this."""
    assert extension_of((b"<?a?>" * 1000)[:HEAD_BYTES]) == "txt"


def test_a_character_that_the_end_of_the_head_cuts_in_two_is_still_text() -> None:
    text = ("x" * (HEAD_BYTES - 1) + "é").encode()
    assert extension_of(text[:HEAD_BYTES]) == "txt"
    assert extension_of(text[:20] + b"\xc3") == "bin"


def test_what_is_not_known_is_for_downloading_only() -> None:
    assert media_type("bin") == media_type("exe") == ("file", "application/octet-stream")
    assert media_type("html").kind == "file"
