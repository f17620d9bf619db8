"""Define the protocol of a vector index, and what its implementations share.

Ids are garment ids. An index is derived from SQL: lost or damaged, it is built again.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from indexer.fused_vector import Ids
from indexer.vectors.id_set import Where

log = logging.getLogger("lapel")

Neighbours = tuple[Ids, NDArray[np.float32]]
"""Ids (n,) and scores (n,), best first where a search gives them."""
CANDIDATES = 50  # scored exactly for ten items: a few variants and photos of each
# Of the stored vectors: when so many came or went, the file is written again. A process that
# opens it before reads at most these from SQL: 5,000 of a million, in about 0.1 s.
SAVED_SHARE = 0.005
# SQL keeps float16 and the exact index the same numbers: any difference is damage.
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Stamp:
    """Up to where an index follows its catalogue: its revision, and the newest garment seen.

    A revision of -1 says that nothing is known: all ids must be compared.
    """

    revision: int = -1
    last_id: int = 0


@dataclass(frozen=True, slots=True)
class ExpressionSearch:
    """How an index filters by expressions, besides sets of ids."""

    language: str
    """What the expressions are written in, such as `milvus`."""
    max_found: int
    """The most that one search returns."""
    is_exact: bool
    """Whether a search scores every vector for which the expression holds."""


class VectorIndex(Protocol):
    """Stores vectors under ids and finds those with the largest inner product.

    Threads may share it: searches run beside each other, a change waits for them and they for it.
    """

    stamp: Stamp
    """Set by the caller that changes the index; saved and opened with it."""

    @property
    def expressions(self) -> ExpressionSearch | None:
        """The expressions that `search` takes as `where`; None where it takes ids only."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    def __len__(self) -> int:
        """How many vectors are stored."""

    def ids(self) -> Ids:
        """Return all ids, in no order."""

    def add(self, ids: Ids, vectors: NDArray[np.float32]) -> None:
        """Store vectors (n, d) under new ids (n,)."""

    def remove(self, ids: Collection[int]) -> None:
        """Forget these ids; those not stored are passed over."""

    def get(self, ids: Ids) -> NDArray[np.float32]:
        """Return the vectors (n, d) of stored ids (n,)."""

    def differing(self, ids: Ids, vectors: NDArray[np.float32]) -> int:
        """Count the stored ids (n,) whose vector differs from the given one, (n, d)."""

    def search(self, query: NDArray[np.float32], k: int, where: Where = None) -> Neighbours:
        """Return the k best ids and scores for a query (d,), fewer where no more may be found.

        Raises TypeError for an expression where the index takes none.
        """

    @property
    def is_due(self) -> bool:
        """Whether so much has changed since the last save that another is worth its time."""

    def save(self) -> None:
        """Make the present state survive the process, due or not. Raises OSError."""


def written_ns(path: Path | None) -> int:
    """Return when a file was written, in ns; 0 where none is."""
    try:
        return 0 if path is None else path.stat().st_mtime_ns
    except OSError:
        return 0


def is_replaced(path: Path | None, written: int) -> bool:
    """Tell whether another process has saved a file since it was `written` as known here."""
    return written_ns(path) not in (0, written)


def is_save_due(changes: int, count: int) -> bool:
    """Tell whether so many changes among `count` vectors are worth writing them all."""
    return changes >= max(1, SAVED_SHARE * count)


def merge(found: Sequence[Neighbours], k: int) -> Neighbours:
    """Return the k best of several findings, best first."""
    ids = np.concatenate([each[0] for each in found])
    scores = np.concatenate([each[1] for each in found])
    best = np.argsort(-scores, kind="stable")[:k]
    return ids[best], scores[best]


def say_unused(path: Path, error: Exception) -> None:
    """Say in the log that a vector file cannot be used, and what follows."""
    log.warning(
        "the vector file %s is not used: %s; its vectors are read from the database, and "
        "saved by the next change or `lapel rebuild`", path, error
    )  # fmt: skip
