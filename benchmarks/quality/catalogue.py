"""Index items with photos into a temporary home, as the product does."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session
from tqdm import tqdm

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.feeds.reading.record import ItemRecord
from indexer.fused_vector import from_bytes
from indexer.ingest.importer import Importer
from indexer.settings import Settings
from indexer.storage.tables import GarmentRow, ItemGarmentRow, ItemRow
from search.searcher import Searcher


def fill_shop(
    home: Path, records: Sequence[ItemRecord], describer: Describer, images: Path = Path()
) -> tuple[Catalogue, Searcher]:
    """Index records into a new catalogue as `lapel index` would; pictures lie in `images`."""
    catalogue = Catalogue.open(Settings(home=home), create=True)
    importer = Importer(catalogue, describer, images, say=print)
    done = importer.run(tqdm(records, desc="index", unit="item"))
    if done.errors:
        raise SystemExit(f"{done.errors} of {len(records)} items could not be indexed: see above")
    return catalogue, Searcher(catalogue, describer)


def item_vectors(catalogue: Catalogue) -> dict[str, NDArray[np.float32]]:
    """Return the fused vector (dim,) of each item's first garment."""
    query = (
        select(ItemRow.item_id, GarmentRow.vector)
        .join(ItemGarmentRow, ItemGarmentRow.item_id == ItemRow.id)
        .join(GarmentRow, GarmentRow.id == ItemGarmentRow.garment_id)
        .where(ItemRow.catalogue_id == catalogue.id)
        .order_by(GarmentRow.id.desc())  # the first garment is written last, and stays
    )
    with Session(catalogue.engine) as session:
        rows = session.execute(query).all()
    stored = from_bytes([row.vector for row in rows], catalogue.layout.dim)
    return {row.item_id: vector for row, vector in zip(rows, stored, strict=True)}
