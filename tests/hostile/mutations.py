"""Mutate pictures by number: the same number always gives the same picture.

Mutations of the kinds that AFL makes (lcamtuf, "afl-fuzz technical details"): flips, arithmetic,
telling numbers, blocks cut, doubled and spliced. Checksums of PNG are mended in most, for what
stands behind them would never be reached otherwise.
"""

import struct
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Literal

import numpy as np

from tests.hostile.damage import flip_bits
from tests.hostile.derived import Derived
from tests.hostile.file import HostileFile
from tests.hostile.metadata import turned
from tests.hostile.seeds import SEEDS

Draw = np.random.Generator
TELLING = (0, 1, 2, 7, 16, 32, 64, 100, 127, 128, 255, 256, 512, 1_000, 4_096, 32_767, 32_768,
           65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 1)  # fmt: skip
LONGEST = 400_000  # bytes; doubled again and again a picture would be all the same


def mutated_files(first: int, count: int) -> Iterator[HostileFile]:
    """Yield so many mutated pictures, from a number on."""
    for number in range(first, first + count):
        yield HostileFile(f"mutation-{number}", lambda n=number: mutated(n))  # type: ignore[misc]


def mutated(number: int) -> bytes:
    """Return the mutated picture of a number."""
    draw = np.random.default_rng([20, number])
    names = list(_seeds())
    name = names[draw.integers(len(names))]
    content = _seeds()[name]
    for _ in range(int(2 ** draw.integers(0, 5))):
        content = _STEPS[draw.integers(len(_STEPS))](content, draw)[:LONGEST] or b"\0"
    return mend_png(content) if name.startswith("png") and draw.random() < 0.8 else content


@cache
def _seeds() -> dict[str, bytes]:
    made = {name: make() for name, make in SEEDS.items()}
    made |= {f"jpeg-turned-{value}": turned(value) for value in (3, 6)}
    made["heif-grid"] = Derived("HEIF", "grid", 4).content()
    return made


def mend_png(content: bytes) -> bytes:
    """Return a PNG with the checksums that its chunks should have, as far as they can be read."""
    parts, at = [content[:8]], 8
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        body = content[at + 4 : at + 8 + length]
        parts += [content[at : at + 4], body, struct.pack(">I", zlib.crc32(body))]
        at += 12 + length
    return b"".join(parts) + content[at:]


def _flip(content: bytes, draw: Draw) -> bytes:
    return flip_bits(content, int(draw.integers(2**32)), int(2 ** draw.integers(0, 6)))


def _at(content: bytes, draw: Draw) -> int:
    # Headers stand at the beginning, and decide more than pixels do.
    reach = len(content) if draw.random() < 0.5 else min(len(content), 400)
    return int(draw.integers(reach))


def _random_byte(content: bytes, draw: Draw) -> bytes:
    at = _at(content, draw)
    return content[:at] + draw.bytes(1) + content[at + 1 :]


def _telling_number(content: bytes, draw: Draw) -> bytes:
    at, value = _at(content, draw), TELLING[draw.integers(len(TELLING))]
    size = (1, 2, 4)[draw.integers(3)]
    order: Literal["big", "little"] = "big" if draw.random() < 0.5 else "little"
    number: bytes = (value % 256**size).to_bytes(size, order)
    return content[:at] + number + content[at + size :]


def _nudge(content: bytes, draw: Draw) -> bytes:
    at = _at(content, draw)
    value = (content[at] + int(draw.integers(-35, 36))) % 256
    return content[:at] + bytes([value]) + content[at + 1 :]


def _block(content: bytes, draw: Draw) -> tuple[int, int]:
    at = _at(content, draw)
    return at, min(len(content), at + int(2 ** draw.integers(0, 10)))


def _remove(content: bytes, draw: Draw) -> bytes:
    begin, end = _block(content, draw)
    return content[:begin] + content[end:]


def _double(content: bytes, draw: Draw) -> bytes:
    begin, end = _block(content, draw)
    times = int(2 ** draw.integers(0, 8))
    return content[:begin] + content[begin:end] * times + content[begin:]


def _overwrite(content: bytes, draw: Draw) -> bytes:
    (begin, end), to = _block(content, draw), _at(content, draw)
    return content[:to] + content[begin:end] + content[to + end - begin :]


def _splice(content: bytes, draw: Draw) -> bytes:
    others = list(_seeds().values())
    other = others[draw.integers(len(others))]
    begin, end = _block(other, draw)
    at = _at(content, draw)
    return content[:at] + other[begin:end] + content[at:]


def _cut(content: bytes, draw: Draw) -> bytes:
    return content[: _at(content, draw) + 1]


_STEPS = (
    _flip, _flip, _random_byte, _random_byte, _telling_number, _telling_number, _nudge, _remove,
    _double, _overwrite, _splice, _cut,
)  # fmt: skip
