"""Examine a catalogue and the services behind it, and repair what can be repaired.

Runs no model; `indexer/maintenance/model_checks.py` looks at those.
"""

from collections.abc import Iterator

import numpy as np
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.errors import CatalogueEmpty, CatalogueError, LapelError, SchemaOutdated
from indexer.fused_vector import from_bytes
from indexer.maintenance.check_result import CheckResult, failure, ok, repaired, warning
from indexer.maintenance.database_checks import (
    REPAIR,
    RESTORE,
    check_database,
    check_rows,
    check_staged,
)
from indexer.maintenance.file_checks import check_pictures, check_strays, check_thumbnails
from indexer.maintenance.service_checks import check_milvus, check_replica, is_reachable
from indexer.settings import Settings
from indexer.storage.database import revisions
from indexer.storage.reembed_staging import find_shadow
from indexer.storage.revision_log import stored_ids
from indexer.storage.tables import GarmentRow
from indexer.system.batching import batches
from indexer.system.disk_errors import free_bytes, is_writable
from indexer.system.sealed_files import CorruptFile
from indexer.vectors.open_index import describe_tuning, read_vectors
from indexer.vectors.protocol import VectorIndex

TRIES = 5  # while another process writes
CHUNK = 2_000  # vectors compared at a time
LITTLE_BYTES = 200_000_000  # a small shop's import: rows, thumbnails, and the file written beside


def examine(settings: Settings, repair: bool = False) -> Iterator[CheckResult]:
    """Examine a catalogue; `repair` rebuilds from SQL, and removes files and rows of nothing.

    Raises CatalogueLocked when something is to be repaired while another process writes.
    """
    yield from _check_disk(settings)
    try:
        catalogue = Catalogue.open(settings)
    except (CatalogueEmpty, SchemaOutdated) as error:
        yield failure("catalogue", str(error), "do as it says")
        return
    except (LapelError, SQLAlchemyError) as error:
        yield failure("catalogue", str(error), RESTORE)
        return
    try:
        yield from _check_open(catalogue, repair)
    except SQLAlchemyError as error:
        yield failure("database", str(error), RESTORE)
    finally:
        catalogue.engine.dispose()


def _check_open(catalogue: Catalogue, repair: bool) -> Iterator[CheckResult]:
    current, _ = revisions(catalogue.engine)
    yield ok("schema", f"tables at version {current}, which this Lapel needs")
    holder = catalogue.lock.holder()
    yield ok("lock", f"held by {holder}" if holder else "nobody writes")
    yield from check_replica(catalogue)
    with Session(catalogue.engine) as session:
        yield from check_database(session)
        yield from check_staged(find_shadow(session, catalogue.id) is not None)
    yield from check_rows(catalogue, repair)
    milvus = list(check_milvus(catalogue, repair))
    yield from milvus
    if all(map(is_reachable, milvus)):
        yield from _check_vectors(catalogue, repair)
    yield from check_pictures(catalogue)
    yield from check_thumbnails(catalogue, repair)
    yield from check_strays(catalogue, repair)


def _check_disk(settings: Settings) -> Iterator[CheckResult]:
    home = settings.home
    if not is_writable(home):
        yield warning("disk", f"{home} may not be written", "searches go on, imports do not")
    free = free_bytes(home)
    files = home.glob("vectors/*.faiss") if home.is_dir() else ()
    beside = max((path.stat().st_size for path in files), default=0)
    if free is None:
        yield warning("disk", f"nobody can say how much room {home} has", "look yourself")
    elif free < beside + LITTLE_BYTES:
        said = f"{free / 1e6:.0f} MB are free in {home}; an import writes about that much"
        yield warning("disk", said, "make room")
    else:
        yield ok("disk", f"{free / 1e9:.1f} GB are free in {home}")


def _check_vectors(catalogue: Catalogue, repair: bool) -> Iterator[CheckResult]:
    """Compare the vectors, as they are opened and caught up, with SQL: ids and contents."""
    row = catalogue.row()
    if row.layout is None:
        yield ok("vectors", "nothing is indexed yet")
        return
    path = catalogue.vector_file(row.uid)
    problems = []
    try:
        read_vectors(catalogue.layout.dim, path)
    except FileNotFoundError:
        pass  # opening it creates it, filled from SQL
    except (CorruptFile, OSError) as error:
        problems.append(f"{path} cannot be used: {error}")
    try:
        count, different = _compared(catalogue)
    except CatalogueError as error:  # rows whose vectors do not fit this catalogue
        yield failure("vectors", str(error), RESTORE)
        return
    problems += different
    if not problems:
        kept = "" if catalogue.settings.vectors_url else describe_tuning(path)
        yield ok("vectors", f"{count}, in the index as in SQL{kept}")
    elif repair:
        count = catalogue.rebuild()
        yield repaired("vectors", f"{'; '.join(problems)}: {count} built anew from SQL")
    else:
        yield failure("vectors", "; ".join(problems), f"{REPAIR}, or `lapel rebuild`")


def _compared(catalogue: Catalogue) -> tuple[int, list[str]]:
    """Return the number of vectors, and how they differ from SQL at a moment without writes."""
    for left in reversed(range(TRIES)):
        revision, vectors = catalogue.row().revision, catalogue.vectors
        with Session(catalogue.engine) as session:
            different = _differences(session, catalogue.id, vectors)
        if not different or not left or catalogue.row().revision == revision:
            break  # else the differences may be concurrent writes
    return len(vectors), different


def _differences(session: Session, catalogue_id: int, vectors: VectorIndex) -> list[str]:
    stored, held = stored_ids(session, catalogue_id), vectors.ids()
    differences = []
    if missing := len(np.setdiff1d(stored, held)):
        differences.append(f"{missing} are in SQL only")
    if strange := len(held) - len(np.intersect1d(stored, held)):
        differences.append(f"{strange} are in the index only, or twice")
    changed = 0
    for some in batches(np.intersect1d(stored, held).tolist(), CHUNK):
        rows = session.execute(
            select(GarmentRow.id, GarmentRow.vector).where(GarmentRow.id.in_(some))
        ).all()
        expected = from_bytes([row.vector for row in rows], vectors.dim)
        changed += vectors.differing(np.array([row.id for row in rows], np.int64), expected)
    if changed:
        differences.append(f"{changed} differ from SQL's")
    return differences
