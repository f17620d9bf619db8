"""Build the file that `IvfIndex` opens: vectors as 8-bit codes, sorted into lists.

Not all vectors are in memory at once: they are read twice, and codes wait in a temporary file.
"""

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.fused_vector import Ids
from indexer.vectors.ivf_file import Placed, nearest_lists, padded, scale_of, write_lists
from indexer.vectors.protocol import Stamp

PIECE = 5_000  # vectors read at a time: 16 MB
# FAISS asks for 39 a centroid at least, and takes 25 rounds; after 10 the lists hardly change.
TRAINED_A_LIST, ROUNDS = 40, 10
SEED = 1234
KIND = "ivf8"
QUANTIZER = faiss.ScalarQuantizer.QT_8bit


@dataclass(frozen=True, slots=True, eq=False)
class VectorSource:
    """All vectors of a catalogue, as SQL has them: ids (n,), and how to read some (m, d)."""

    dim: int
    ids: Ids
    vectors: Callable[[Ids], NDArray[np.float32]]
    stamp: Stamp
    runs: tuple[tuple[int, float], ...] = ()
    """How much stretches of a vector count when vectors are sorted into lists: `(length, by)`."""


def build(path: Path, source: VectorSource) -> None:
    """Write the file at `path`, atomically. Raises OSError."""
    trained = train(source)
    scale = scale_of(source.runs, trained.d)
    waiting = path.with_name(f"{path.name}.codes.new")
    path.parent.mkdir(parents=True, exist_ok=True)
    lists = np.empty(len(source.ids), np.int64)
    try:
        with waiting.open("wb") as file:
            for start in range(0, len(source.ids), PIECE):
                piece = slice(start, start + PIECE)
                vectors = padded(source.vectors(source.ids[piece]))
                lists[piece] = nearest_lists(trained, vectors, scale)
                file.write(trained.sq.compute_codes(vectors).tobytes())
        codes = np.memmap(waiting, np.uint8, "r", shape=(len(lists), trained.code_size))
        facts = {"kind": KIND, "dim": source.dim, "trained_on": len(lists),
                 "runs": source.runs, **asdict(source.stamp)}  # fmt: skip
        write_lists(path, facts, trained, Placed(source.ids, lists, lambda rows: codes[rows]))
    finally:
        with suppress(OSError):
            waiting.unlink(missing_ok=True)


def list_count(n: int) -> int:
    """Return into how many lists n vectors are sorted: four times the root of n.

    FAISS's guidelines say 4 to 16 times, and 39 vectors a list at least; with more lists, scoring
    their centroids takes longer.
    """
    return max(1, min(round(4 * math.sqrt(n)), n // 39))


def train(source: VectorSource) -> Any:
    """Return an empty IndexIVFScalarQuantizer whose lists and ranges fit a sample of the source."""
    n_lists = list_count(len(source.ids))
    rng = np.random.default_rng(SEED)
    count = min(len(source.ids), max(TRAINED_A_LIST * n_lists, PIECE))
    chosen = np.sort(rng.choice(source.ids, count, replace=False))
    sample = padded(source.vectors(chosen))
    dim = sample.shape[1]
    scaled = sample * scale_of(source.runs, dim)
    centroids = scaled.mean(axis=0, keepdims=True)
    if n_lists > 1:
        means = faiss.Kmeans(
            dim,
            n_lists,
            niter=ROUNDS,
            seed=SEED,
            min_points_per_centroid=1,  # `list_count` sees to it; FAISS would say so on stdout
            max_points_per_centroid=TRAINED_A_LIST,
        )
        means.train(scaled)
        centroids = means.centroids
    quantizer = faiss.IndexFlatL2(dim)
    quantizer.add(centroids)
    index = faiss.IndexIVFScalarQuantizer(
        quantizer, dim, n_lists, QUANTIZER, faiss.METRIC_INNER_PRODUCT, False
    )
    index.train(sample)
    return index
