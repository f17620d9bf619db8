"""A catalogue's own garments as questions in, how well and how fast each kind answers them out.

A garment asks for its ten nearest others, with colour's weight 0, its default or 1, among all and
under filters; the truth is the exact score of every stored vector. What counts is what a search
shows: the best ten of fifty candidates after they are scored exactly.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.fused_vector import DEFAULT_WEIGHTS, Ids, Layout
from indexer.system.sealed_files import read_checksummed
from indexer.vectors.id_set import IdSet
from indexer.vectors.index import FaissIndex, VectorIndex
from indexer.vectors.index_kinds import INDEX_TYPES, IndexType
from indexer.vectors.ivf_build import PIECE, Source, pack
from indexer.vectors.ivf_index import IvfIndex

K, CANDIDATES = 10, 50  # search.searcher scores 50 candidates for 10 items
SHARES = (1.0, 0.5, 0.05, 0.001)  # of the garments that a filter lets through
COLOURS = (0.0, DEFAULT_WEIGHTS["colour"], 1.0)
QUESTIONS = 96  # a share: recall of 320 answers for each of colour's weights, known to a hundredth
SEED = 1234
FIRST_EFFORT = 1_000  # vectors scored; doubled until the recall is reached


@dataclass(frozen=True, slots=True, eq=False)
class Questions:
    """Weighted queries (m, dim) of one filter and colour's weight, who asks (m,), what is right.

    The right ids are (m, 10). Where fewer than ten may be found, the rest of a row is -1.
    """

    share: float
    queries: NDArray[np.float32]
    asking: Ids
    allowed: IdSet | None
    right: Ids


@dataclass(frozen=True, slots=True)
class Measured:
    """One kind on one catalogue: the worst recall@10 of all filters and weights; slowest median."""

    kind: str
    effort: int
    recall: float
    ms: float
    megabytes: float
    build_s: float


def ask(source: Source, layout: Layout, count: int = QUESTIONS) -> list[Questions]:
    """Choose questions from a source's own vectors and find the right answers; reads it once."""
    rng = np.random.default_rng(SEED)
    count = min(count, len(source.ids))
    asking = np.sort(rng.choice(source.ids, count, replace=False))
    vectors = source.vectors(asking)
    weights = np.resize(COLOURS, count)
    queries = np.stack(
        [layout.weigh(v, {"colour": w}) for v, w in zip(vectors, weights, strict=True)]
    )
    alloweds = [
        None if share == 1 else IdSet.of(source.ids[rng.random(len(source.ids)) < share])
        for share in SHARES
    ]
    rights = _exact(source, queries, asking, alloweds)
    return [
        Questions(share, queries[own], asking[own], allowed, right[own])
        for share, allowed, right in zip(SHARES, alloweds, rights, strict=True)
        for own in (weights == colour for colour in COLOURS)
        if own.any()
    ]


def _exact(
    source: Source, queries: NDArray[np.float32], asking: Ids, alloweds: Sequence[IdSet | None]
) -> list[Ids]:
    """Return the ids (m, K) with the best exact scores, per set of allowed ids."""
    best = [(np.full((len(queries), K), -1), np.full((len(queries), K), -np.inf, np.float32))
            for _ in alloweds]  # fmt: skip
    for at in range(0, len(source.ids), PIECE):
        ids = source.ids[at : at + PIECE]
        scores = queries @ source.vectors(ids).T  # (m, piece)
        scores[asking[:, None] == ids[None]] = -np.inf  # a garment does not find itself
        for i, allowed in enumerate(alloweds):
            here = np.ones(len(ids), np.bool_) if allowed is None else np.isin(ids, allowed.ids)
            some = np.concatenate([best[i][1], np.where(here, scores, -np.inf)], axis=1)
            named = np.concatenate([best[i][0], np.broadcast_to(ids, scores.shape)], axis=1)
            first = np.argsort(-some, axis=1)[:, :K]
            best[i] = (np.take_along_axis(named, first, 1), np.take_along_axis(some, first, 1))
    return [np.where(np.isfinite(scores), ids, -1) for ids, scores in best]


def recall_of(index: VectorIndex, asked: Questions, source: Source) -> float:
    """Return the share of right ids among the best ten of the candidates, scored exactly."""
    hits = wanted = 0
    for query, own, right in zip(asked.queries, asked.asking, asked.right, strict=True):
        found, _ = index.search(query, CANDIDATES, asked.allowed)
        found = np.sort(found[found != own])
        scores = source.vectors(found) @ query
        best = found[np.argsort(-scores, kind="stable")[:K]]
        hits += len(np.intersect1d(best, right))
        wanted += int((right >= 0).sum())
    return hits / wanted if wanted else 1.0


def tune_effort(
    index: IvfIndex, asked: Sequence[Questions], source: Source, recall: float
) -> tuple[int, float]:
    """Set the least effort, in steps of a quarter, that reaches a recall; returns both."""

    def worst(effort: int) -> float:
        index.effort = effort
        return min(recall_of(index, each, source) for each in asked)

    high, reached = min(FIRST_EFFORT, len(index)), 0.0
    while (reached := worst(high)) < recall and high < len(index):
        high = min(2 * high, len(index))
    low = high // 2
    while high > 1.25 * low and high > FIRST_EFFORT:
        middle = (low + high) // 2
        if (said := worst(middle)) >= recall:
            high, reached = middle, said
        else:
            low = middle
    index.effort = high
    return high, reached


def median_ms(index: VectorIndex, asked: Questions) -> float:
    """Return the median time of a search, without the candidates' exact scores."""
    took = []
    for query in asked.queries:
        start = time.perf_counter()
        index.search(query, CANDIDATES, asked.allowed)
        took.append(time.perf_counter() - start)
    return float(np.median(took)) * 1e3


def measure(
    kind: IndexType, source: Source, asked: Sequence[Questions], recall: float, path: Path
) -> Measured:
    """Build a kind in a file of its own at `path`, which stays, and ask it."""
    start = time.perf_counter()
    index: VectorIndex
    if kind.is_exact:
        index = FaissIndex(source.dim, None)
        for at in range(0, len(source.ids), PIECE):
            index.add(source.ids[at : at + PIECE], source.vectors(source.ids[at : at + PIECE]))
        effort, size = len(source.ids), len(source.ids) * source.dim * 4
    else:
        pack(path, kind, source)
        index = IvfIndex(path, *read_checksummed(path))
        effort, size = len(source.ids), path.stat().st_size
    built = time.perf_counter() - start
    reached = 1.0
    if isinstance(index, IvfIndex):
        if kind.is_sorted:
            effort, reached = tune_effort(index, asked, source, recall)
        else:
            reached = min(recall_of(index, each, source) for each in asked)
    slowest = max(median_ms(index, each) for each in asked)
    return Measured(kind.name, effort, reached, slowest, size / 1e6, built)


def best_of(measured: Sequence[Measured], recall: float) -> Measured:
    """Return the fastest that reaches the recall; of those hardly slower, the smallest.

    Exact ones always reach it.
    """
    good = [each for each in measured if each.recall >= recall]
    good = good or [max(measured, key=lambda each: each.recall)]
    fastest = min(each.ms for each in good)
    return min((each for each in good if each.ms <= 1.1 * fastest), key=lambda m: m.megabytes)


def try_all(
    source: Source,
    layout: Layout,
    recall: float,
    path: Path,
    names: Sequence[str] = tuple(INDEX_TYPES),
    say: Callable[[Measured], None] = lambda measured: None,
) -> list[Measured]:
    """Measure kinds one after the other, each in a file beside `path` that ends in `.new`."""
    asked = ask(source, layout)
    done = []
    for name in names:
        done.append(measure(INDEX_TYPES[name], source, asked, recall, tried_path(path, name)))
        say(done[-1])
    return done


def tried_path(path: Path, name: str) -> Path:
    """Return where a kind is built before it is chosen."""
    return path.with_name(f"{path.name}.{name}.new")
