"""TIFF files written field by field, as no program would write them."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

_CODES = {1: "B", 2: "B", 3: "H", 4: "I", 9: "i", 12: "d"}


@dataclass(frozen=True)
class Entry:
    """A field of a TIFF's directory: its number, the type of its values, the values."""

    tag: int
    kind: int
    values: Sequence[float]

    def packed(self) -> bytes:
        return struct.pack(f"<{len(self.values)}{_CODES[self.kind]}", *self.values)


def directory(entries: Sequence[Entry], start: int, following: int = 0) -> bytes:
    """Return a directory that begins at byte `start`, with the values that it points to."""
    ordered = sorted(entries, key=lambda entry: entry.tag)
    values_at = start + 2 + 12 * len(ordered) + 4
    head, tail = struct.pack("<H", len(ordered)), b""
    for entry in ordered:
        packed = entry.packed()
        if len(packed) <= 4:
            place = packed.ljust(4, b"\0")
        else:
            place = struct.pack("<I", values_at + len(tail))
            tail += packed
        head += struct.pack("<HHI", entry.tag, entry.kind, len(entry.values)) + place
    return head + struct.pack("<I", following) + tail


def tiff(
    width: int,
    height: int,
    strips: Sequence[bytes],
    rows: int = 1,
    packing: int = 1,
    tiled: Sequence[Entry] = (),
    more: Sequence[Entry] = (),
    following: int = 0,
) -> bytes:
    """Return an RGB TIFF whose strips of `rows` rows (or tiles, as `tiled` says) stand at its end.

    `packing` is 1 for none, 8 for deflate; `following` where the next directory is said to be.
    """
    places, sizes = (324, 325) if tiled else (273, 279)
    fixed = [
        Entry(256, 4, (width,)),
        Entry(257, 4, (height,)),
        Entry(258, 3, (8, 8, 8)),
        Entry(259, 3, (packing,)),
        Entry(262, 3, (2,)),
        Entry(277, 3, (3,)),
        *([] if tiled else [Entry(278, 4, (rows,))]),
        *tiled,
        *more,
        Entry(sizes, 4, [len(strip) for strip in strips]),
    ]
    # The directory is as long whatever the places are.
    length = len(directory([*fixed, Entry(places, 4, [0] * len(strips))], 8, following))
    at, starts = 8 + length, []
    for strip in strips:
        starts.append(at)
        at += len(strip)
    written = directory([*fixed, Entry(places, 4, starts)], 8, following)
    return struct.pack("<2sHI", b"II", 42, 8) + written + b"".join(strips)
