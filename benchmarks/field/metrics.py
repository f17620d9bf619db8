"""The field's metrics, one value a photo or query where there is one.

Of equal scores the right one counts as the last: a model that says the same of everything finds
nothing.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.field.report import Measure
from search.evaluation.bootstrap import BLOCK, RESAMPLES, interval, interval_of

BLOCK_BYTES = 256_000_000  # of scores held at a time
Labels = NDArray[np.str_] | NDArray[np.int64]


def first_right_ranks(
    queries: NDArray[np.float32],
    gallery: NDArray[np.float32],
    query_labels: Labels,
    gallery_labels: Labels,
) -> NDArray[np.int64]:
    """Return the rank (q,), from 1, of each query's first right hit; 0 where none is there.

    `queries` (q, d) and `gallery` (n, d) are scored by their inner product.
    """
    ranks = np.zeros(len(queries), np.int64)
    size = max(1, BLOCK_BYTES // (4 * max(1, len(gallery))))
    for start in range(0, len(queries), size):
        scores = queries[start : start + size] @ gallery.T
        right = query_labels[start : start + size, None] == gallery_labels[None]
        best = np.where(right, scores, -np.inf).max(axis=1, initial=-np.inf)
        before = ((scores >= best[:, None]) & ~right).sum(axis=1)
        ranks[start : start + size] = np.where(right.any(axis=1), before + 1, 0)
    return ranks


def class_ranks(scores: NDArray[np.floating], truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rank (n,), from 1, of the true class among the scores (n, classes)."""
    own = scores[np.arange(len(truth)), truth]
    return np.asarray((scores >= own[:, None]).sum(axis=1), np.int64)


def found_at(ranks: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """Tell of each rank (n,), from 1 and 0 for never, whether it is among the first k."""
    return (ranks >= 1) & (ranks <= k)


def share_at(ranks: NDArray[np.int64], ks: Sequence[int]) -> tuple[Measure, ...]:
    """Return recall at each k: the share of queries that find a right one among the first k."""
    return tuple(Measure.of(interval(found_at(ranks, k))) for k in ks)


def label_hits(scores: NDArray[np.floating], truth: NDArray[np.bool_], k: int) -> NDArray[np.bool_]:
    """Tell which true labels (n, labels) are among the k best scored ones of their photo."""
    k = min(k, scores.shape[1])
    kth = np.sort(scores, axis=1)[:, [scores.shape[1] - k]]
    at_least = scores >= kth
    crowded = at_least.sum(axis=1, keepdims=True) > k  # of those that tie for the last places
    return np.asarray(truth & np.where(crowded, scores > kth, at_least), np.bool_)


def pooled(parts: NDArray[np.number], wholes: NDArray[np.number]) -> Measure:
    """Return the sum of parts (n,) over the sum of wholes (n,), drawing photos again."""
    part, whole = np.asarray(parts, float), np.asarray(wholes, float)
    if not whole.sum():
        return Measure(float("nan"))
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(RESAMPLES // BLOCK):
        often = rng.multinomial(len(part), np.full(len(part), 1 / len(part)), BLOCK)
        seen = often @ whole
        drawn.append(np.divide(often @ part, seen, out=np.full(BLOCK, np.nan), where=seen > 0))
    low, high = np.nanquantile(np.concatenate(drawn), [0.025, 0.975])
    return Measure(float(part.sum() / whole.sum()), float(low), float(high))


def ndcg_at(
    gains: NDArray[np.floating], best_gains: NDArray[np.floating], k: int
) -> NDArray[np.float64]:
    """Return the normalised discounted cumulative gain of the first k hits of each query (q,).

    `gains` (q, at least k) are those of the hits in their order, `best_gains` (q, at least k) the
    largest of the gallery, sorted down. 0 where nothing in the gallery has any gain.
    """
    width = min(k, gains.shape[1], best_gains.shape[1])
    discounts = 1 / np.log2(np.arange(2, width + 2))
    ideal = best_gains[:, :width] @ discounts
    reached = gains[:, :width] @ discounts
    return np.asarray(np.divide(reached, ideal, out=np.zeros(len(ideal)), where=ideal > 0), float)


def confusion(truth: NDArray[np.integer], said: NDArray[np.integer], n: int) -> NDArray[np.int64]:
    """Count the pixels of each true label (rows) that were said to be each label, (n, n)."""
    pairs = truth.astype(np.int64).ravel() * n + said.astype(np.int64).ravel()
    return np.bincount(pairs, minlength=n * n).reshape(n, n)


def pixel_accuracy(counts: NDArray[np.int64]) -> Measure:
    """Return the share of all photos' pixels that are right, of confusions (photos, n, n)."""
    return pooled(np.trace(counts, axis1=1, axis2=2), counts.sum(axis=(1, 2)))


def class_ious(counts: NDArray[np.int64]) -> tuple[Measure, ...]:
    """Return each label's intersection over union over all photos' pixels; nan where it is none."""
    both = np.diagonal(counts, axis1=1, axis2=2)  # (photos, n)
    either = counts.sum(axis=1) + counts.sum(axis=2) - both
    return tuple(pooled(both[:, i], either[:, i]) for i in range(counts.shape[1]))


def mean_iou(counts: NDArray[np.int64]) -> Measure:
    """Return the mean over the labels that are there of their IoU, drawing photos again."""
    present = np.flatnonzero(counts.sum(axis=(0, 2)))

    def statistic(rows: NDArray[np.int64]) -> float:
        drawn = counts[rows].sum(axis=0)
        both = np.diagonal(drawn)
        either = drawn.sum(axis=0) + drawn.sum(axis=1) - both
        seen = present[either[present] > 0]
        return float((both[seen] / either[seen]).mean())

    return Measure.of(interval_of(statistic, len(counts), RESAMPLES // 4))


def mean_label_recall(counts: NDArray[np.int64], labels: Sequence[int]) -> NDArray[np.float64]:
    """Return each photo's mean share of right pixels over those of the labels that it shows.

    Photos that show none are left out.
    """
    chosen = counts[:, list(labels)]
    there = chosen.sum(axis=2)  # (photos, labels)
    right = counts[:, list(labels), list(labels)]
    shares = np.divide(right, there, out=np.zeros(there.shape), where=there > 0)
    shown = (there > 0).sum(axis=1)
    return np.asarray(shares.sum(axis=1)[shown > 0] / shown[shown > 0], float)
