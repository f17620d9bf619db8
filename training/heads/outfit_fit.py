"""Fit the tables of compatible garments from garments worn together."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from search.recommend.compatibility import PairTable, bounded

RANK = 8  # of 2, 4, 8, 16 by five folds of the training photos; 16 gains 0.005 in rank percentile
# Of the trace over 50, added to both covariances: best of 0.3, 1 and 3 on the same folds.
RIDGE = 1.0
# Pairs added to each count and to its expectation: of 2 and 10 both were as good.
PRIOR = 2.0
FOLDS = 5
NEGATIVES = 10  # partners of other people, for each pair

Floats = NDArray[np.float64]
Both = tuple[NDArray[np.float32], NDArray[np.float32]]
Rows = NDArray[np.int64]


def fit_table(
    colours: NDArray[np.float32], categories: NDArray[np.str_], pairs: Rows, seed: int = 0
) -> PairTable:
    """Learn from pairs (m, 2) of rows of colours (n, d) and categories (n,)."""
    rng = np.random.default_rng(seed)
    fold = rng.permutation(len(pairs)) % FOLDS
    features, labels = [], []
    limit = np.float32(0)
    for number in range(FOLDS):  # scored by tables that have not seen them
        table = _without_fit(colours, categories, pairs[fold != number])
        kept = pairs[fold == number]
        colour = table.colour_scores(colours[kept[:, 0]], colours[kept[:, 1]])
        limit = limit or np.float32(colour.std())
        colour = bounded(colour, limit)
        kind = table.kind_scores(categories[kept[:, 0]].tolist(), categories[kept[:, 1]].tolist())
        for i in range(len(kept)):
            strangers = rng.integers(0, len(kept), NEGATIVES)
            chosen = np.array([i, *strangers[strangers != i]])
            features.append(np.stack([colour[i, chosen], kind[i, chosen]], axis=1))
            labels.append(np.arange(len(chosen)) == 0)
    model = LogisticRegression(C=1.0, class_weight="balanced")
    model.fit(np.concatenate(features), np.concatenate(labels))
    fit = np.array([*np.maximum(model.coef_[0], 0.0), model.intercept_[0], limit], np.float32)
    return replace(_without_fit(colours, categories, pairs), fit=fit)


def _without_fit(
    colours: NDArray[np.float32], categories: NDArray[np.str_], pairs: Rows
) -> PairTable:
    first, second = colours[pairs[:, 0]].astype(float), colours[pairs[:, 1]].astype(float)
    means, maps = canonical(first, second)
    names, affinity = mutual_information(categories[pairs[:, 0]], categories[pairs[:, 1]])
    usual = [each @ mean for each, mean in zip((first, second), means, strict=True)]
    spread = np.array([[each.mean(), each.std()] for each in usual], np.float32)
    fit = np.array([1, 1, 0, 1], np.float32)
    return PairTable(means, maps, affinity, names, fit, spread)


def canonical(
    first: Floats, second: Floats
) -> tuple[
    tuple[NDArray[np.float32], NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]
]:
    """Return means (d,) and maps (d, r) of both sides (m, d): canonical directions, by strength."""
    means = first.mean(axis=0), second.mean(axis=0)
    a, b = first - means[0], second - means[1]
    whiten = _whitening(a), _whitening(b)
    joint = whiten[0] @ (a.T @ b / len(a)) @ whiten[1]
    # Its first singular vectors: NumPy's SVD fails to converge on some that are nearly singular.
    squares, vectors = np.linalg.eigh(joint @ joint.T)
    strength = np.maximum(squares[: -RANK - 1 : -1], 1e-12) ** 0.5
    left = vectors[:, : -RANK - 1 : -1]
    right = joint.T @ left / strength
    root = strength**0.5
    maps = whiten[0] @ left * root, whiten[1] @ right * root
    return (
        (means[0].astype(np.float32), means[1].astype(np.float32)),
        (maps[0].astype(np.float32), maps[1].astype(np.float32)),
    )


def _whitening(centred: Floats) -> Floats:
    covariance = centred.T @ centred / len(centred)
    covariance += RIDGE * np.trace(covariance) / 50 * np.eye(len(covariance))
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * values**-0.5) @ vectors.T)


def mutual_information(
    first: Sequence[str] | NDArray[np.str_], second: Sequence[str] | NDArray[np.str_]
) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], NDArray[np.float32]]:
    """Return the names on both sides, and the log of seen over expected pairs (c, c')."""
    names = tuple(sorted(set(map(str, first)))), tuple(sorted(set(map(str, second))))
    counts = np.zeros((len(names[0]), len(names[1])))
    for one, other in zip(first, second, strict=True):
        counts[names[0].index(str(one)), names[1].index(str(other))] += 1
    expected = counts.sum(1, keepdims=True) * counts.sum(0, keepdims=True) / counts.sum()
    return names, np.log((counts + PRIOR) / (expected + PRIOR)).astype(np.float32)
