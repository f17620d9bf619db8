"""Build a catalogue's vector file from SQL, beside the present one, and switch to it.

Searches go on in the old file meanwhile.
"""

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from indexer.errors import CatalogueError
from indexer.fused_vector import Ids, Layout, from_bytes
from indexer.storage.revision_log import stored_ids
from indexer.storage.tables import CatalogueRow, GarmentRow
from indexer.system.batching import SQL_VALUES, batches
from indexer.system.disk_errors import sync_folder
from indexer.system.sealed_files import read_checksummed
from indexer.vectors.effort_tuning import sample_queries, tune_effort
from indexer.vectors.flat_index import FaissIndex
from indexer.vectors.ivf_build import KIND, PIECE, VectorSource, build
from indexer.vectors.ivf_index import IvfIndex
from indexer.vectors.open_index import (
    FLAT_MOST,
    RECALL,
    IndexTuning,
    is_flat,
    is_loaded,
    is_outgrown,
    read_tuning,
    read_vectors,
    tuning_file,
    write_tuning,
)
from indexer.vectors.protocol import Stamp, VectorIndex

log = logging.getLogger("lapel")


def source_of(engine: Engine, row: CatalogueRow, layout: Layout) -> VectorSource:
    """Return a catalogue's vectors as SQL has them now.

    Later commits are not seen, and a vector removed meanwhile reads as zeros: the stamp lets the
    index catch up with both.
    """
    with Session(engine) as session:
        ids = stored_ids(session, row.id)

    def vectors(some: Ids) -> NDArray[np.float32]:
        found: dict[int, bytes] = {}
        with Session(engine) as session:
            for batch in batches(some.tolist(), SQL_VALUES):
                query = select(GarmentRow.id, GarmentRow.vector).where(GarmentRow.id.in_(batch))
                found.update((each.id, each.vector) for each in session.execute(query))
        none = bytes(2 * layout.dim)
        return from_bytes([found.get(id_, none) for id_ in some.tolist()], layout.dim)

    return VectorSource(
        layout.dim,
        ids,
        vectors,
        Stamp(row.revision, int(ids.max(initial=0))),
        layout.sorting_runs(),
    )


def save(
    engine: Engine, row: CatalogueRow, index: VectorIndex, path: Path, is_sparing: bool
) -> bool:
    """Save an index if enough has changed, or rebuild its file if the catalogue has outgrown it.

    Returns whether it was rebuilt: then it is to be opened again. With `is_sparing`, in the midst
    of a long write, only what makes searches faster is done. The caller holds the writer lock.
    Raises OSError.
    """
    if is_outgrown(index):
        rebuild(engine, row, Layout(**(row.layout or {})), path)
        return True
    if is_loaded(index) if is_sparing else index.is_due:
        index.save()
    return False


def rebuild(
    engine: Engine, row: CatalogueRow, layout: Layout, path: Path, recall: float | None = None
) -> int:
    """Build a catalogue's vector file from SQL; returns how many vectors there are.

    A catalogue of over FLAT_MOST garments is tuned to `recall`, by default the one asked for
    before. The caller holds the writer lock. Raises OSError.
    """
    source, before = source_of(engine, row, layout), read_tuning(path)
    if is_flat(len(source.ids)):
        save_exact(source, path)
        tuning_file(path).unlink(missing_ok=True)  # the catalogue was larger once
        return len(source.ids)
    beside = path.with_name(f"{path.name}.new")
    by = "tune" if recall is not None else before.by if before else "size"
    wanted = recall or (before.wanted if before else RECALL)
    try:
        build(beside, source)
        tuning = measure(IvfIndex(beside, *read_checksummed(beside)), source, layout, wanted, by)
        write_tuning(path, tuning)
        beside.replace(path)  # an opened index goes on in the old file
        sync_folder(path.parent)
    finally:
        beside.unlink(missing_ok=True)
    if before is None:
        log.warning(
            "%d garments are more than are searched one by one: their vectors are kept as %s now "
            "(recall %.3f measured); `lapel rebuild --recall` makes searches more exact, or faster",
            len(source.ids), KIND, tuning.recall,
        )  # fmt: skip
    return len(source.ids)


def tune(
    engine: Engine,
    row: CatalogueRow,
    layout: Layout,
    path: Path,
    recall: float,
    *,
    is_kept: bool = True,
) -> IndexTuning:
    """Measure how many vectors a search must score to reach a recall; the file stays as it is.

    Searches and imports go on meanwhile. Raises CatalogueError for a catalogue that is searched
    exactly, OSError.
    """
    source = source_of(engine, row, layout)
    index = None if is_flat(len(source.ids)) else read_vectors(layout.dim, path)
    if not isinstance(index, IvfIndex):
        raise CatalogueError(
            f"{len(source.ids)} garments are each scored exactly, in a few milliseconds: there is "
            f"nothing to tune up to {FLAT_MOST}"
        )
    tuning = measure(index, source, layout, recall, "tune")
    if is_kept and tuning.recall >= recall:
        write_tuning(path, tuning)
    return tuning


def measure(
    index: IvfIndex, source: VectorSource, layout: Layout, wanted: float, by: str
) -> IndexTuning:
    """Set an index's effort to the least that reaches a recall, and return what was measured."""
    effort, reached = tune_effort(index, sample_queries(source, layout), source, wanted)
    return IndexTuning(index.kind, by, effort, reached, wanted, len(source.ids))


def save_exact(source: VectorSource, path: Path) -> None:
    """Write a source's vectors as an exact index. Raises OSError."""
    index = FaissIndex(source.dim, path)
    for start in range(0, len(source.ids), PIECE):
        ids = source.ids[start : start + PIECE]
        index.add(ids, source.vectors(ids))
    index.stamp = source.stamp
    index.save()
