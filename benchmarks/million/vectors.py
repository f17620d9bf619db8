"""Grow fused vectors of real garments to the size of a big shop, and take street photos' queries.

    python -m benchmarks.million.vectors [--garments 1000000] [--seed 0]

Each grown garment starts at a real one a, goes a random way (up to half) towards one of its ten
nearest neighbours b, and adds the difference of two other neighbours c and d, so that it leaves a
only in directions in which real garments differ: a + t (b - a) + s (c - d), part by part. The scale
s is measured: with it a grown garment's median similarity to its start is, in each part, that of a
real garment to its nearest neighbour. Every third garment takes another's colours, as a shop's
variants do. Histograms mix as histograms, so that the colour part stays the root of one.

The first n vectors of a seed are the same for every n. Kept under `runs/million` as float16, which
is what a catalogue's rows hold.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.million.real_garments import CACHE, RealGarments, real_garments
from indexer.fused_vector import DEFAULT_WEIGHTS, PARTS, unit_rows

Vectors = NDArray[np.float32]
QUERIES = 256
NEIGHBOURS = 10
VARIANTS = 1 / 3  # share that takes another garment's colours
CHUNK = 10_000  # grown from one random stream: a larger n only adds chunks
SAMPLE = 2_000  # garments on which the scale of the noise is measured


@dataclass(frozen=True, slots=True, eq=False)
class _Seeds:
    """Real garments part by part, with the nearest neighbours (n, NEIGHBOURS) of each."""

    parts: Mapping[str, Vectors]
    near: NDArray[np.int64]
    scales: Mapping[str, float]


def main() -> None:
    """Grow the vectors, and print how near real and grown garments are to each other."""
    parser = argparse.ArgumentParser(prog="benchmarks.million.vectors", description=__doc__)
    parser.add_argument("--garments", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    vectors, queries = fused_vectors(options.garments, options.seed)
    print(f"{len(vectors)} garments, {len(queries)} queries of {vectors.shape[1]} dimensions")


def fused_vectors(n: int, seed: int = 0) -> tuple[Vectors, Vectors]:
    """Return n garments (n, dim) and 256 queries (256, dim), each part of unit length.

    Takes 3 GB for a million; `stored_vectors` takes none.
    """
    stored, queries = stored_vectors(n, seed)
    return stored.astype(np.float32), queries


def stored_vectors(n: int, seed: int = 0) -> tuple[NDArray[np.float16], Vectors]:
    """Return the same garments as a mapped file, in float16, and the queries."""
    real = real_garments()
    order = np.random.default_rng(seed).permutation(len(real.queries))
    queries = real.queries[np.resize(order, QUERIES)]
    files = CACHE.glob(f"{real.name}-{seed}-*.npy")
    kept = {int(file.stem.rpartition("-")[2]): file for file in files}
    enough = min((count for count in kept if count >= n), default=None)
    file = kept[enough] if enough else _grow(real, n, seed)
    return np.load(file, mmap_mode="r")[:n], queries


def _grow(real: RealGarments, n: int, seed: int) -> Path:
    seeds = _seeds(real)
    file = CACHE / f"{real.name}-{seed}-{n}.npy"
    beside = file.with_suffix(".part")
    grown = np.lib.format.open_memmap(beside, "w+", np.float16, (n, real.layout.dim))
    for at in tqdm(range(0, n, CHUNK), desc="grow", unit="chunk"):
        parts = _chunk(seeds, np.random.default_rng([seed, at // CHUNK]))
        grown[at : at + CHUNK] = real.layout.fuse(parts)[: n - at]
    grown.flush()
    beside.replace(file)
    return file


def _seeds(real: RealGarments) -> _Seeds:
    parts = {part: real.gallery[:, at] for part, at in real.layout.slices().items()}
    asked = np.concatenate([parts[part] * DEFAULT_WEIGHTS[part] for part in PARTS], axis=1)
    near = np.empty((len(asked), NEIGHBOURS), np.int64)
    for at in range(0, len(asked), CHUNK // 10):
        some = np.arange(at, min(at + CHUNK // 10, len(asked)))
        similar = asked[some] @ real.gallery.T
        similar[np.arange(len(some)), some] = -np.inf
        near[some] = np.argpartition(-similar, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    unscaled = _Seeds(parts, near, {})
    return _Seeds(parts, near, {part: _scale(unscaled, part) for part in PARTS})


def _scale(seeds: _Seeds, part: str) -> float:
    """Find the noise with which a grown part is as near its start as real neighbours are."""
    rng = np.random.default_rng(0)
    start = rng.integers(len(seeds.near), size=SAMPLE)
    of_part = seeds.parts[part]
    # The nearest of them in this part: `near` is in no order.
    nearest = np.einsum("nkd,nd->nk", of_part[seeds.near[start]], of_part[start]).max(axis=1)
    low, high = 0.0, 4.0
    for _ in range(12):  # to a thousandth
        middle = (low + high) / 2
        grown = _grown(seeds, part, start, np.random.default_rng(1), middle)
        similar = np.einsum("nd,nd->n", grown, of_part[start])
        low, high = (low, middle) if np.median(similar) < np.median(nearest) else (middle, high)
    return low


def _chunk(seeds: _Seeds, rng: np.random.Generator) -> dict[str, Vectors]:
    """Grow one chunk; its parts (CHUNK, d_part), of unit length."""
    start = rng.integers(len(seeds.near), size=CHUNK)
    others = np.where(rng.random(CHUNK) < VARIANTS, rng.permutation(start), start)
    starts = {"visual": start, "colour": others, "attributes": start}
    return {p: _grown(seeds, p, starts[p], rng, seeds.scales[p]) for p in PARTS}


def _grown(
    seeds: _Seeds, part: str, start: NDArray[np.int64], rng: np.random.Generator, scale: float
) -> Vectors:
    n, near = len(start), seeds.near
    # Histograms, not their roots: two garments' colours mix by area.
    of_part = seeds.parts[part] ** 2 if part == "colour" else seeds.parts[part]
    towards = near[start, rng.integers(NEIGHBOURS, size=n)]
    third = rng.integers(len(near), size=n)
    fourth = near[third, rng.integers(NEIGHBOURS, size=n)]
    way = rng.uniform(0, 0.5, (n, 1)).astype(np.float32)
    mixed = of_part[start] + way * (of_part[towards] - of_part[start])
    mixed += np.float32(scale) * (of_part[third] - of_part[fourth])
    if of_part.min() >= 0:
        np.maximum(mixed, 0, out=mixed)
    return unit_rows(np.sqrt(mixed) if part == "colour" else mixed)


if __name__ == "__main__":
    main()
