"""Damage valid pictures: cut short, bits flipped, filled with zeros, doubled."""

from collections.abc import Iterator

import numpy as np

from tests.hostile.file import HostileFile
from tests.hostile.seeds import SEEDS, Make

# Shares of the file: in the magic number, in the headers, in the pixels, the last byte.
CUTS = (0.01, 0.04, 0.12, 0.35, 0.75, 0.97)
FLIPS = ((0, 1), (1, 4), (2, 16), (3, 64))  # seed, how many bits


def damaged_files() -> Iterator[HostileFile]:
    """Yield every seed whole, and damaged in some ways."""
    for name, make in SEEDS.items():
        yield HostileFile(f"{name}-whole", make, "photo")
        for share in CUTS:
            yield HostileFile(f"{name}-cut-{share:g}", _cut(make, share))
        yield HostileFile(f"{name}-cut-last", lambda make=make: make()[:-1])  # type: ignore[misc]
        for seed, count in FLIPS:
            yield HostileFile(f"{name}-flipped-{count}", _flipped(make, seed, count))
        yield HostileFile(f"{name}-zeroed", _zeroed(make))


def flip_bits(content: bytes, seed: int, count: int) -> bytes:
    """Return the content with so many bits turned, at places that the seed draws."""
    bits = np.unpackbits(np.frombuffer(content, np.uint8))
    bits[np.random.default_rng(seed).integers(0, len(bits), count)] ^= 1
    return np.packbits(bits).tobytes()


def _cut(make: Make, share: float) -> Make:
    def cut() -> bytes:
        content = make()
        return content[: max(3, int(len(content) * share))]

    return cut


def _flipped(make: Make, seed: int, count: int) -> Make:
    return lambda: flip_bits(make(), seed, count)


def _zeroed(make: Make) -> Make:
    def zeroed() -> bytes:
        content = bytearray(make())
        third = len(content) // 3
        content[third : 2 * third] = bytes(third)
        return bytes(content)

    return zeroed
