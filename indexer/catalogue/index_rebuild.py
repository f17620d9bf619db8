"""A catalogue's rows in, its vector file made anew out: of the chosen kind, or the tuned one.

Searches go on in the old file meanwhile: the new one is made beside it, then switched.
"""

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from indexer.fused_vector import Ids, Layout, from_bytes
from indexer.storage.revision_log import stored_ids
from indexer.storage.tables import CatalogueRow, GarmentRow
from indexer.system.batching import SQL_VALUES, batches
from indexer.system.disk_errors import sync_folder
from indexer.system.sealed_files import read_checksummed
from indexer.vectors.index import FaissIndex, Stamp, VectorIndex
from indexer.vectors.index_benchmark import ask, tried_path, tune_effort
from indexer.vectors.index_file import (
    Choice,
    choice_file,
    is_loaded,
    is_outgrown,
    kind_for,
    read_choice,
    write_choice,
)
from indexer.vectors.index_kinds import IndexType
from indexer.vectors.ivf_build import PIECE, Source, pack
from indexer.vectors.ivf_index import IvfIndex

log = logging.getLogger("lapel")
RECALL = 0.98  # of the ten that an exact search shows, so many are shown


def source_of(engine: Engine, row: CatalogueRow, layout: Layout) -> Source:
    """Return a catalogue's vectors as SQL has them now.

    What others commit meanwhile is not seen, or read as zeros where it went: the stamp lets the
    index catch up with it.
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

    return Source(
        layout.dim,
        ids,
        vectors,
        Stamp(row.revision, int(ids.max(initial=0))),
        layout.sorting_runs(),
    )


def save(
    engine: Engine, row: CatalogueRow, index: VectorIndex, path: Path, is_sparing: bool
) -> bool:
    """Save an index if enough has changed, or make its file anew if it has outgrown it.

    Returns whether it was made anew: then it is to be opened again. `is_sparing` in the midst of
    a long write: only what searches gain by. For who holds the writer's lock. OSError.
    """
    if is_outgrown(index, path):
        repack(engine, row, Layout(**(row.layout or {})), path)
        return True
    if is_loaded(index) if is_sparing else index.is_due:
        index.save()
    return False


def repack(engine: Engine, row: CatalogueRow, layout: Layout, path: Path) -> int:
    """Make a catalogue's vector file anew, as its choice or size says; returns how many there are.

    For who holds the writer's lock. OSError.
    """
    source, choice = source_of(engine, row, layout), read_choice(path)
    kind = kind_for(len(source.ids), choice)
    if kind.is_exact:
        save_exact(source, path)
        if choice is not None and choice.by == "size":  # it was larger once
            choice_file(path).unlink(missing_ok=True)
        return len(source.ids)
    beside = tried_path(path, kind.name)
    try:
        pack(beside, kind, source)
        by, wanted = (choice.by, choice.wanted) if choice else ("size", RECALL)
        new = _chosen(beside, kind, source, layout, wanted, by)
        switch(beside, path, new)
    finally:
        beside.unlink(missing_ok=True)
    if choice is None:
        log.warning(
            "%d garments are more than are searched one by one: their vectors are kept as %s now "
            "(recall %.3f measured); `lapel tune` compares the kinds on this catalogue",
            len(source.ids), kind.name, new.recall,
        )  # fmt: skip
    return len(source.ids)


def _chosen(
    file: Path, kind: IndexType, source: Source, layout: Layout, wanted: float, by: str
) -> Choice:
    """Measure how many vectors a search must score in a new file, and return that as a choice."""
    index = IvfIndex(file, *read_checksummed(file))
    effort, reached = index.effort, 1.0
    if kind.is_sorted:
        effort, reached = tune_effort(index, ask(source, layout), source, wanted)
    return Choice(kind.name, by, effort, reached, wanted, len(source.ids))


def switch(beside: Path, path: Path, choice: Choice) -> None:
    """Put a new file in the old one's place: an opened index goes on in the old. OSError."""
    write_choice(path, choice)
    beside.replace(path)
    sync_folder(path.parent)


def save_exact(source: Source, path: Path) -> None:
    """Write a source's vectors as an exact index. OSError."""
    index = FaissIndex(source.dim, path)
    for at in range(0, len(source.ids), PIECE):
        some = source.ids[at : at + PIECE]
        index.add(some, source.vectors(some))
    index.stamp = source.stamp
    index.save()
