"""Bytes to text: encoding, line ends, and the refusal of what is not text."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bulkpause.errors import SourceError

# Every read lets the interpreter lock go: with 64 KiB a busy event loop waits 4 ms for it, with 16 KiB 0.6.
CHUNK_BYTES = 16 * 1024
_HEAD_BYTES = 4
_HEAD_CHARACTERS = 1024 * 1024

_PACKED = (
    (b"\x1f\x8b", "compressed with gzip. Unpack it first: gunzip -c {name} | bulkpause ... -"),
    (b"PK\x03\x04", "an Excel workbook or another zip archive. Save the sheet as CSV first."),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook. Save the sheet as CSV first."),
)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UNMARKED_UTF16 = ((re.compile(rb"[^\0]\0[^\0]\0"), "utf-16-le"), (re.compile(rb"\0[^\0]\0[^\0]"), "utf-16-be"))
_CONTROLS = [chr(code) for code in range(32) if chr(code) not in "\t\n\r\f"]
_STRAY = re.compile(r"[\udc80-\udcff\ufffd]")
_IDLE = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)*")
_SEP_LINE = re.compile(r'"?sep=([^\w"\n])"?[ \t]*\n', re.IGNORECASE)


@dataclass(slots=True)
class Head:
    """The start of a text from its first line with content on, that line's number, and what a `sep=` line said."""

    text: str = ""
    row: int = 1
    delimiter: str | None = None

    @property
    def line(self) -> str:
        """The first line with content; empty when the text has none."""
        return self.text.partition("\n")[0]


def read_text(read: Callable[[int], bytes], *, name: str) -> Iterator[str]:
    r"""Text as it comes from UTF-8 or UTF-16, each line ended by \n, the last one too; stray bytes become surrogates.

    Raises SourceError for compressed files, workbooks and other binary content.
    """
    first = b""
    while len(first) < _HEAD_BYTES and (more := read(CHUNK_BYTES)):
        first += more
    for magic, remedy in _PACKED:
        if first.startswith(magic):
            raise SourceError(f"{name}: {remedy.format(name=name)}")
    bom, encoding = _encoding(first)
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(_on_error(encoding)), translate=True)
    text = decoder.decode(first[len(bom) :])
    if _is_binary(text[:4096]):
        raise SourceError(f"{name}: looks binary, not text. Give a CSV file, a plain list or JSON Lines.")
    last = "\n"
    while text or first:
        if text:
            last = text[-1]
            yield text
        first = first and read(CHUNK_BYTES)
        text = decoder.decode(first, final=not first)
    if last != "\n":
        yield "\n"


def read_head(chunks: Iterable[str]) -> Head:
    """Read until the first line with content is whole, past blank lines, `#` comments and a `sep=` line."""
    head = Head()
    for chunk in chunks:
        head.text += chunk
        _skip(head, _IDLE.match(head.text))
        if separator := _SEP_LINE.match(head.text):
            head.delimiter = separator[1]
            _skip(head, separator)
            _skip(head, _IDLE.match(head.text))
        if "\n" in head.text or len(head.text) > _HEAD_CHARACTERS:
            break
    return head


def _is_binary(sample: str) -> bool:
    """Whether control characters crowd it, alone or with stray bytes; one NUL, or Cyrillic names, are no proof."""
    controls = sum(map(sample.count, _CONTROLS))
    strays = len(_STRAY.findall(sample))
    return controls > 0.3 * len(sample) or (controls > 0.03 * len(sample) and strays > 0.1 * len(sample))


def _skip(head: Head, idle: re.Match[str] | None) -> None:
    if idle:
        head.row += idle[0].count("\n")
        head.text = head.text[idle.end() :]


def _encoding(first: bytes) -> tuple[bytes, str]:
    for bom, encoding in _BOMS:
        if first.startswith(bom):
            return bom, encoding
    for pattern, encoding in _UNMARKED_UTF16:
        if pattern.match(first):
            return b"", encoding
    return b"", "utf-8"


def _on_error(encoding: str) -> str:
    # A Latin-1 byte in another column must not fail its row; in the id's cell the lone surrogate is refused.
    return "surrogateescape" if encoding == "utf-8" else "replace"
