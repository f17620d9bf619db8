"""Open a feed's file as text, in whatever encoding, gzipped or not.

Whatever goes wrong with a file is raised as a FeedError. The beginning of a text is read once, and
shown to the formats for recognition.
"""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from indexer.errors import FeedError

GZIP = b"\x1f\x8b"
HEAD_BYTES = 1 << 16  # a header of a thousand columns, or one JSON product with its variants
CHUNK_BYTES = 1 << 16
MAX_LINE = 32_000_000  # characters; three times the largest cell, above that it is no feed
# Text compresses to a tenth; a file that expands far more is a bomb. Small ones do no harm.
BOMB_BYTES, BOMB_TIMES = 100_000_000, 200
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Files that shops send by mistake, by their first bytes.
_STRANGERS = {
    b"PK\x03\x04": "a zip or an Excel workbook; unpack it, or save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV",
    b"%PDF": "a PDF; export the catalogue as CSV or XML",
    b"SQLite format 3": "a database; export the catalogue as CSV",
}


@dataclass(frozen=True)
class FeedStart:
    """The beginning of a feed: `start` is its first bytes, unpacked; empty for a folder."""

    source: Path
    start: bytes = b""

    @cached_property
    def text(self) -> str:
        """The first characters."""
        return self.start.decode(_encoding_of(self.start), "replace").lstrip("\ufeff")

    @cached_property
    def line(self) -> str:
        """The first line that is not blank."""
        return self.text.lstrip().partition("\n")[0].rstrip("\r")


def look_at(source: Path) -> FeedStart:
    """Return the beginning of a file or folder. Raises FeedError for a file that is no text."""
    if source.is_dir():
        return FeedStart(source)
    if source.is_fifo():  # it would be used up by recognising the format
        raise FeedError(f"{source} is a pipe; save the feed as a file, and give that")
    with reading(source), open_bytes(source) as raw:
        start = raw.read(HEAD_BYTES)
    for mark, said in _STRANGERS.items():
        if start.startswith(mark):
            raise FeedError(f"{source} is {said}")
    return FeedStart(source, start)


@contextmanager
def reading(source: Path) -> Iterator[None]:
    """Raise the errors of files and their compression as FeedError."""
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        raise FeedError(f"the feed {source} cannot be read: {error}") from error


def open_bytes(source: Path) -> BinaryIO:
    """Open a feed, unpacked; for use within `reading`."""
    raw = source.open("rb")
    if raw.read(2) != GZIP:
        raw.seek(0)
        return raw
    raw.close()
    return cast(BinaryIO, gzip.open(source, "rb"))


@contextmanager
def open_text(source: Path) -> Iterator[TextIO]:
    """Open a feed's text: UTF-8, UTF-16, else Windows-1252; undecodable bytes are U+FFFD."""
    with reading(source):
        with open_bytes(source) as raw:
            encoding = _encoding(raw, source.stat().st_size)
        with TextIOWrapper(open_bytes(source), encoding, "replace", newline="") as text:
            yield text


def read_chunks(source: Path) -> Iterator[str]:
    """Yield a feed's text, a chunk at a time."""
    with open_text(source) as text:
        while chunk := text.read(CHUNK_BYTES):
            yield chunk


def read_lines(source: Path) -> Iterator[str]:
    """Yield a feed's lines with their ends. Raises FeedError for one that never ends."""
    with open_text(source) as text:
        while line := text.readline(MAX_LINE):
            if len(line) == MAX_LINE:
                raise FeedError(
                    f"a line of {source} is longer than {MAX_LINE} characters; "
                    "expected a feed of one row a line"
                )
            yield line


def _encoding(raw: BinaryIO, packed_bytes: int) -> str:
    """Detect the encoding from the whole file: the only accent may be in the last row.

    Raises FeedError for a file that expands far more than a feed does.
    """
    chunk = raw.read(CHUNK_BYTES)
    encoding = _encoding_of(chunk)
    decoder = codecs.getincrementaldecoder("utf-8")()
    if encoding.startswith("utf-16"):
        return encoding
    try:
        read = 0
        while chunk:
            read += len(chunk)
            if read > max(BOMB_BYTES, BOMB_TIMES * packed_bytes):
                raise FeedError(
                    f"the feed unpacks to more than {BOMB_TIMES} times its size, as no feed does; "
                    "give it unpacked"
                )
            decoder.decode(chunk)
            chunk = raw.read(CHUNK_BYTES)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _encoding_of(start: bytes) -> str:
    if start.startswith(_UTF16_MARKS):
        return "utf-16"
    if len(start) >= 4 and not start.startswith(b"\0\0"):
        # UTF-16 without its mark: every other byte of a header is zero.
        for offset, name in ((1, "utf-16-le"), (0, "utf-16-be")):
            zeros = start[offset:HEAD_BYTES:2].count(0)
            if zeros * 2 > len(start[:HEAD_BYTES:2]) and start[1 - offset] != 0:
                return name
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"
