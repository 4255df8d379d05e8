"""Tell of what type a file is: by its first bytes, never by what it is called.

Each type has one extension, and that names it everywhere: in the file's name, in run.db, and in an address of the
viewer. A kind says how people are shown it: image, video, audio, figure, or file for all that can only be downloaded.
"""

from __future__ import annotations

import codecs
import re
from typing import Final, NamedTuple

__all__ = ["HEAD_BYTES", "MediaType", "extension_of", "media_type"]

# What is looked at of a file.
HEAD_BYTES: Final = 4096


class MediaType(NamedTuple):
    """Hold how a type is shown, and what it is called on the web."""

    kind: str
    mime: str


_FILE: Final = MediaType("file", "application/octet-stream")
_TYPES: Final[dict[str, MediaType]] = {
    "png": MediaType("image", "image/png"),
    "jpeg": MediaType("image", "image/jpeg"),
    "gif": MediaType("image", "image/gif"),
    "webp": MediaType("image", "image/webp"),
    "avif": MediaType("image", "image/avif"),
    "bmp": MediaType("image", "image/bmp"),
    "svg": MediaType("image", "image/svg+xml"),
    "tiff": MediaType("image", "image/tiff"),
    "mp4": MediaType("video", "video/mp4"),
    "mov": MediaType("video", "video/quicktime"),
    "webm": MediaType("video", "video/webm"),
    "mkv": MediaType("video", "video/x-matroska"),
    "ogv": MediaType("video", "video/ogg"),
    "avi": MediaType("video", "video/x-msvideo"),
    "wav": MediaType("audio", "audio/wav"),
    "mp3": MediaType("audio", "audio/mpeg"),
    "flac": MediaType("audio", "audio/flac"),
    "ogg": MediaType("audio", "audio/ogg"),
    "m4a": MediaType("audio", "audio/mp4"),
    "aac": MediaType("audio", "audio/aac"),
    "plotly": MediaType("figure", "application/vnd.plotly.v1+json"),
    "pdf": MediaType("file", "application/pdf"),
    "html": MediaType("file", "text/html"),
    "txt": MediaType("file", "text/plain"),
}
_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", 0, "png"),
    (b"\xff\xd8\xff", 0, "jpeg"),
    (b"GIF87a", 0, "gif"),
    (b"GIF89a", 0, "gif"),
    (b"WEBP", 8, "webp"),
    (b"BM", 0, "bmp"),
    (b"II*\0", 0, "tiff"),
    (b"MM\0*", 0, "tiff"),
    (b"WAVE", 8, "wav"),
    (b"AVI ", 8, "avi"),
    (b"fLaC", 0, "flac"),
    (b"ID3", 0, "mp3"),
    (b"%PDF-", 0, "pdf"),
)
_BRANDS: Final = {b"avif": "avif", b"avis": "avif", b"M4A ": "m4a", b"M4B ": "m4a", b"qt  ": "mov"}
_BEFORE: Final = ((b"<?", b"?>"), (b"<!--", b"-->"), (b"<!doctype", b">"))
_ELEMENT: Final = re.compile(rb"<(?:[a-z]+:)?([a-z]+)[\s>/]", re.IGNORECASE)
_ELEMENTS: Final = {b"svg": "svg", **dict.fromkeys((b"html", b"head", b"body", b"script", b"title"), "html")}


def media_type(extension: str) -> MediaType:
    """Return what an extension stands for; a file to download, where it is none of these."""
    return _TYPES.get(extension, _FILE)


def extension_of(head: bytes) -> str:
    """Return the extension of the type that a file's first bytes show; "bin" for what is not known."""
    for signature, offset, extension in _SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return extension
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "mp4")
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "webm" if b"webm" in head[:64] else "mkv"
    if head[:4] == b"OggS":
        return "ogv" if b"theora" in head[:64] else "ogg"
    return _sound_frame(head) or _markup(head) or ("txt" if _is_text(head) else "bin")


def _sound_frame(head: bytes) -> str | None:
    """Recognise MPEG audio without a tag in front of it, by the first header of a frame."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    if head[1] & 0xF6 == 0xF0 and head[2] >> 2 & 15 < 13:
        return "aac"
    version, layer, rate, sampling = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    return "mp3" if version != 1 and layer and rate not in (0, 15) and sampling != 3 else None


def _markup(head: bytes) -> str | None:
    """Recognise SVG and HTML by their first element, behind what may come before it."""
    rest = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    while (
        end := next((end for start, end in _BEFORE if rest[: len(start)].lower() == start), None)
    ) is not None:
        if rest[:14].lower() == b"<!doctype html":
            return "html"
        rest = rest.partition(end)[2].lstrip()
    found = _ELEMENT.match(rest)
    return _ELEMENTS.get(found[1].lower()) if found else None


def _is_text(head: bytes) -> bool:
    if not head or any(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head):
        return False
    try:
        # The end of what is looked at may cut a character in two.
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < HEAD_BYTES)
    except UnicodeDecodeError:
        return False
    return True
