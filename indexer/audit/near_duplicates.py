"""Find pictures that look the same by their perceptual hashes and colour grids."""

from itertools import pairwise

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.audit.image_hash import GRID_SCALE, HASH_BITS, ImageHashes

# Bits in which two hashes of one picture may differ. Saved anew at JPEG quality 40 or at half the
# size they differed in 4 at most, 6 % lighter in 8 at most (120 pictures of Luma and the sample).
NEAR_BITS = 6


MOST_BITS = 11  # the index looks up 4 x 137 buckets for these; each further bit multiplies them


# CIELAB distance of the worst cell. One picture saved anew: 4 at most; 6 % lighter: 7; recoloured
# by a shop from blue to purple: 9.5 (the nearest two colours of one cut among Luma's).
SAME_CELL = 7.0


def find_alike(looks: ImageHashes, bits: int = NEAR_BITS) -> list[list[int]]:
    """Return groups of rows that show one picture, in order; the first represents the group.

    Each member is compared with the first of its group, so that a chain of small differences joins
    no two pictures. Costs a few look-ups a picture instead of a comparison with every other.
    """
    values, value_of = np.unique(looks.hashes, axis=0, return_inverse=True)
    rows_of = _rows_by_value(value_of.reshape(-1), len(values))
    neighbours = _neighbours(values, bits)
    first_of = np.full(len(looks.hashes), -1, np.int64)
    groups: list[list[int]] = []
    for row, value in enumerate(value_of.reshape(-1)):
        if first_of[row] >= 0:
            continue
        first_of[row] = row
        near = np.concatenate([rows_of[each] for each in neighbours[value]])
        near = near[(near > row) & (first_of[near] < 0)]
        if not len(near):
            continue
        same = np.sort(near[max_cell_distance(looks.grids[row], looks.grids[near]) <= SAME_CELL])
        if len(same):
            first_of[same] = row
            groups.append([row, *same.tolist()])
    return groups


def max_cell_distance(one: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the largest CIELAB distance of any cell of a grid (768,) to those of others (n, 768):
    (n,)."""
    apart = (others.astype(np.float32) - one).reshape(len(others), -1, 3) / GRID_SCALE
    return np.asarray(np.sqrt((apart**2).sum(axis=2)).max(axis=1), np.float32)


def _rows_by_value(value_of: NDArray[np.intp], count: int) -> list[NDArray[np.intp]]:
    order = np.argsort(value_of, kind="stable")
    ends = np.searchsorted(value_of[order], np.arange(count + 1))
    return [order[ends[i] : ends[i + 1]] for i in range(count)]


def _neighbours(values: NDArray[np.uint8], bits: int) -> list[NDArray[np.int64]]:
    """Return, for each hash (m, 8), the hashes within so many bits, itself included.

    By multi-index hashing (Norouzi, Punjani, Fleet, CVPR 2012): of two hashes at most 4 f + 3 bits
    apart, one of four parts differs in at most f.
    """
    if not len(values):
        return []
    parts = 4
    index = faiss.IndexBinaryMultiHash(HASH_BITS, parts, HASH_BITS // parts)
    index.nflip = bits // parts
    index.add(values)
    neighbours: list[NDArray[np.int64]] = []
    for start in range(0, len(values), 10_000):
        limits, _, ids = index.range_search(values[start : start + 10_000], bits + 1)
        neighbours += [np.unique(ids[a:b]) for a, b in pairwise(limits)]
    return neighbours
