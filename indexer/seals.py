"""A file's content and facts in, a file that tells whether it is whole out.

The seal stands behind the content, where readers of the content's own format do not look: the facts
as JSON, the length of the JSON, eight letters, and the SHA-256 of all before it.
"""

import hashlib
import json
import os
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from indexer.disk import sync_folder

MAGIC = b"LAPSEAL1"
_TAIL = struct.Struct(f">I{len(MAGIC)}s")  # length of the facts, magic
_END_BYTES = _TAIL.size + 32  # and the SHA-256
PIECE_BYTES = 1 << 20
MAX_FACTS_BYTES = 1 << 16


class SealBroken(Exception):
    """Not the file that was written: cut, changed, or another program's. Says which."""


def write_sealed(
    path: Path, facts: Mapping[str, Any], write: Callable[[Callable[[bytes], object]], object]
) -> None:
    """Let `write` send the content to the function it is given, then seal it.

    Written beside, made to survive a power cut, then put in place. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.new")
    digest = hashlib.sha256()
    try:
        with beside.open("wb") as file:

            def send(piece: bytes) -> None:
                digest.update(piece)
                file.write(piece)

            write(send)
            told = json.dumps(facts).encode()
            send(told)
            send(_TAIL.pack(len(told), MAGIC))
            file.write(digest.digest())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def check_seal(path: Path) -> dict[str, Any]:
    """Read a sealed file once and return its facts. Raises SealBroken, OSError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < _END_BYTES:
            raise SealBroken(f"it has {size} bytes, fewer than a seal")
        file.seek(size - _END_BYTES)
        tail = file.read(_TAIL.size)
        length, magic = _TAIL.unpack(tail)
        if magic != MAGIC:
            raise SealBroken("it bears no seal: cut off, or written by an older version")
        body = size - _END_BYTES - length
        if length > MAX_FACTS_BYTES or body < 0:
            raise SealBroken("its seal is damaged")
        file.seek(0)
        digest = hashlib.sha256()
        left = body
        while left and (piece := file.read(min(left, PIECE_BYTES))):
            digest.update(piece)
            left -= len(piece)
        told = file.read(length)
        digest.update(told + tail)
        file.seek(_TAIL.size, os.SEEK_CUR)
        expected = file.read()
    if digest.digest() != expected:
        raise SealBroken("its checksum is wrong: damaged on disk")
    facts: dict[str, Any] = json.loads(told)
    return facts
