"""Describe annotated garments or whole pictures by the vectors that a search compares."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.field.metrics import first_right_ranks, share_at
from benchmarks.field.report import Row
from indexer.description.describe import Describer
from indexer.feeds.reading.record import ItemRecord
from indexer.fused_vector import DEFAULT_WEIGHTS, Layout
from indexer.images.photo import read_photo
from indexer.ingest.photo_tasks import region_of
from indexer.models.loading import Models
from indexer.system.batching import batches

BATCH = 32  # photos held in memory at once
VISUAL = {"visual": 1.0, "colour": 0.0, "attributes": 0.0}
Vectors = NDArray[np.float32]
LoadModels = Callable[[], Models]


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """n garments: fused vectors (n, dim), and whether the detector itself saw each (n,)."""

    vectors: Vectors
    is_seen: NDArray[np.bool_]


def describe_records(
    records: Sequence[ItemRecord], folder: Path, describer: Describer, label: str
) -> Described:
    """Describe the garment of each record, at the place that its annotation gives.

    Raises PhotoError for a photo that is missing or cannot be read.
    """
    vectors, seen = [], []
    bar = tqdm(records, desc=label, unit="garment")
    for batch in batches(bar, BATCH):
        photos = {name: read_photo(folder / name) for name in {r.photos[0] for r in batch}}
        wanted = [region_of(record) or record.slot for record in batch]
        found = describer.describe([photos[record.photos[0]] for record in batch], wanted)
        vectors += [garments[0].vector for garments in found]
        seen += [not garments[0].is_fallback for garments in found]
    dim = describer.layout.dim
    return Described(np.reshape(np.array(vectors, np.float32), (-1, dim)), np.array(seen, np.bool_))


def weighed(layout: Layout, vectors: Vectors, weights: dict[str, float]) -> Vectors:
    """Return queries (q, dim) whose inner products with stored vectors are the scores."""
    rows = [layout.weigh(vector, weights) for vector in vectors]
    return np.reshape(np.array(rows, np.float32), vectors.shape)


def retrieval_rows(
    layout: Layout,
    queries: Described,
    gallery: Described,
    labels: tuple[Sequence[str], Sequence[str]],
    ks: Sequence[int],
) -> tuple[Row, ...]:
    """Return the recall at each k of fused vectors, of the visual part, and of seen garments only.

    `labels` are those of the queries and of the gallery. Every garment of the gallery is looked at.
    """
    asked, there = (np.array(each, np.str_) for each in labels)
    rows = []
    for name, weights in (("fused, default weights", dict(DEFAULT_WEIGHTS)), ("visual", VISUAL)):
        weighted = weighed(layout, queries.vectors, weights)
        ranks = first_right_ranks(weighted, gallery.vectors, asked, there)
        rows.append(Row(f"{name}, garments as annotated", share_at(ranks, ks)))
        if weights is not VISUAL:
            detected = np.where(queries.is_seen, ranks, 0)
            rows.append(Row(f"{name}, missed by the detector = not found", share_at(detected, ks)))
    return tuple(rows)


def models_line(models: Models) -> str:
    """Name the models by the beginnings of their fingerprints."""
    return (
        f"detector {models.detector.fingerprint[:12]}, encoder {models.encoder.fingerprint[:12]} "
        f"({models.encoder.dim} numbers)"
    )


def photos_of(records: Iterable[ItemRecord]) -> list[str]:
    """Return the photos that records show, each once, in their order."""
    return list(dict.fromkeys(record.photos[0] for record in records))
