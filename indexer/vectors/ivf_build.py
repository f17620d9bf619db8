"""A catalogue's stored vectors in, a file of the wanted kind that `IvfIndex` opens out.

Nothing needs room for all vectors at once: they are read twice, the codes wait in a file beside.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.fused_vector import Ids
from indexer.vectors.index import Stamp
from indexer.vectors.index_kinds import IndexType
from indexer.vectors.ivf_file import Placed, nearest_lists, padded, scale_of, write_lists

PIECE = 5_000  # vectors read at a time: 16 MB
# FAISS asks for 39 a centroid at least, and takes 25 rounds; after 10 the lists hardly change.
TRAINED_A_LIST, ROUNDS = 40, 10
SEED = 1234


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """The truth: all ids (n,) of a catalogue, and how to read some ids' vectors (m, d)."""

    dim: int
    ids: Ids
    vectors: Callable[[Ids], NDArray[np.float32]]
    stamp: Stamp
    runs: tuple[tuple[int, float], ...] = ()
    """How much stretches of a vector count when vectors are sorted into lists: `(length, by)`."""


def pack(path: Path, kind: IndexType, source: Source) -> None:
    """Write a file of this kind, beside and then in place. OSError."""
    trained = train(kind, source)
    scale = scale_of(source.runs, trained.d)
    waiting = path.with_name(f"{path.name}.codes.new")
    path.parent.mkdir(parents=True, exist_ok=True)
    lists = np.empty(len(source.ids), np.int64)
    try:
        with waiting.open("wb") as file:
            for at in range(0, len(source.ids), PIECE):
                here = slice(at, at + PIECE)
                vectors = padded(source.vectors(source.ids[here]))
                lists[here] = nearest_lists(trained, vectors, scale)
                file.write(trained.sq.compute_codes(vectors).tobytes())
        codes = np.memmap(waiting, np.uint8, "r", shape=(len(lists), trained.code_size))
        facts = {"kind": kind.name, "dim": source.dim, "trained_on": len(lists),
                 "runs": source.runs, **asdict(source.stamp)}  # fmt: skip
        write_lists(path, facts, trained, Placed(source.ids, lists, lambda rows: codes[rows]))
    finally:
        with suppress(OSError):
            waiting.unlink(missing_ok=True)


def train(kind: IndexType, source: Source) -> Any:
    """Return an empty IndexIVFScalarQuantizer whose lists and ranges fit a sample of the source."""
    n_lists = kind.lists(len(source.ids))
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
            min_points_per_centroid=1,  # `IndexType.lists` sees to it; FAISS would say so on stdout
            max_points_per_centroid=TRAINED_A_LIST,
        )
        means.train(scaled)
        centroids = means.centroids
    quantizer = faiss.IndexFlatL2(dim)
    quantizer.add(centroids)
    index = faiss.IndexIVFScalarQuantizer(
        quantizer, dim, n_lists, kind.quantizer, faiss.METRIC_INNER_PRODUCT, False
    )
    index.train(sample)
    return index
