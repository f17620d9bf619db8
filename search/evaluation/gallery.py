"""Read a catalogue's products with the garments in their photos, as arrays to rank by.

A product is a group in one colour where the feed gives colours, else a group: the thing that a
shopper calls "the same". Rows are garments, with the photo's properties repeated for each.
"""

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.fused_vector import Layout, from_bytes
from indexer.garments import WORN_SLOTS, Slot
from indexer.storage.tables import GarmentRow, ItemGarmentRow, ItemRow
from indexer.system.batching import batches

ROWS_AT_ONCE = 5_000  # read from SQL, and later made float32, at a time: 16 MB


@dataclass(frozen=True, slots=True)
class Product:
    """One product; `colour` is None where its group has none."""

    group: str
    colour: str | None
    category: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """The garments (n) of products (p), which are ordered by group, and links (l) between them.

    `slot` (n,) is a place in WORN_SLOTS, -1 unknown; `vectors` (n, dim) float16 lie in a file.
    `link_row` (l,) are garments, ordered by product; `link_start` (p,) is where a product's begin.
    `group_of` (p,) numbers the groups; `group_start` says where the products of each begin.
    """

    layout: Layout
    garment_ids: NDArray[np.int64]
    photo: NDArray[np.int64]
    slot: NDArray[np.int8]
    confidence: NDArray[np.float32]
    category: NDArray[np.str_]
    vectors: NDArray[np.float16]
    products: list[Product]
    link_row: NDArray[np.int64]
    link_start: NDArray[np.int64]
    group_of: NDArray[np.int64]
    group_start: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.garment_ids)

    def rows_of(self, product: int) -> NDArray[np.int64]:
        """Return the garments of a product."""
        is_last = product + 1 == len(self.link_start)
        end = len(self.link_row) if is_last else self.link_start[product + 1]
        return self.link_row[self.link_start[product] : end]

    def slot_name(self, row: int) -> Slot:
        """Return the slot of a garment."""
        return WORN_SLOTS[self.slot[row]] if self.slot[row] >= 0 else "unknown"

    def float_rows(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield all vectors, some (m, dim) at a time, each with the place of the first."""
        for start in range(0, len(self), ROWS_AT_ONCE):
            yield start, self.vectors[start : start + ROWS_AT_ONCE].astype(np.float32)


def read_gallery(catalogue: Catalogue) -> Gallery:
    """Read all garments that belong to an item; 300 bytes of memory each, vectors on disk.

    Raises CatalogueEmpty.
    """
    layout = catalogue.layout
    with Session(catalogue.engine) as session:
        links, categories = _links(session, catalogue.id)
        row_of = {garment: row for row, garment in enumerate(sorted({g for _, _, g in links}))}
        n = len(row_of)
        vectors = _vector_file(n, layout.dim)
        photo, slot = np.zeros(n, np.int64), np.full(n, -1, np.int8)
        confidence, category = np.zeros(n, np.float32), np.empty(n, "<U50")
        for some in batches(row_of, ROWS_AT_ONCE):
            query = select(GarmentRow).where(GarmentRow.id.between(some[0], some[-1]))
            garments = [each for each in session.scalars(query) if each.id in row_of]
            rows = [row_of[garment.id] for garment in garments]
            vectors[rows] = from_bytes([garment.vector for garment in garments], layout.dim)
            photo[rows] = [garment.photo_id for garment in garments]
            confidence[rows] = [garment.confidence for garment in garments]
            category[rows] = [garment.category for garment in garments]
            slot[rows] = [_SLOT_NUMBER.get(garment.slot, -1) for garment in garments]
            session.expunge_all()
    ids = np.fromiter(row_of, np.int64, n)
    numbered = _numbered(links, row_of, categories)
    return Gallery(layout, ids, photo, slot, confidence, category, vectors, *numbered)


_SLOT_NUMBER: Mapping[str, int] = {slot: i for i, slot in enumerate(WORN_SLOTS)}
Links = set[tuple[str, str | None, int]]  # group, colour, garment


def _links(session: Session, catalogue_id: int) -> tuple[Links, dict[tuple[str, str | None], str]]:
    """Return the garments of each group in a colour, and the feed's categories of these products.

    Pictures of a row for all colours (Magento's `configurable`) belong to the colour they show.
    """
    group = func.coalesce(ItemRow.duplicate_of, ItemRow.group_id)
    colour = func.lower(func.trim(ItemRow.colour))
    query = (
        select(group, colour, ItemRow.category, ItemGarmentRow.garment_id)
        .join(ItemGarmentRow, ItemGarmentRow.item_id == ItemRow.id)
        .where(ItemRow.catalogue_id == catalogue_id)
        .distinct()
    )
    links: Links = set()
    categories: dict[tuple[str, str | None], str] = {}
    coloured: set[tuple[str, int]] = set()
    for name, colour_name, category, garment in session.execute(query).yield_per(ROWS_AT_ONCE):
        links.add((name, colour_name or None, garment))
        if category:
            categories[name, colour_name or None] = category
        if colour_name:
            coloured.add((name, garment))
    kept = {each for each in links if each[1] or (each[0], each[2]) not in coloured}
    return kept, categories


Ints = NDArray[np.int64]


def _numbered(
    links: Links, row_of: Mapping[int, int], categories: Mapping[tuple[str, str | None], str]
) -> tuple[list[Product], Ints, Ints, Ints, Ints]:
    rows: dict[tuple[str, str], list[int]] = defaultdict(list)
    for group, colour, garment in links:
        rows[group, colour or ""].append(row_of[garment])
    keys = sorted(rows)
    products = [Product(g, c or None, categories.get((g, c or None))) for g, c in keys]
    sizes = [len(rows[key]) for key in keys]
    link_row = np.array([row for key in keys for row in sorted(rows[key])], np.int64)
    _, group_start, group_of = np.unique(
        np.array([group for group, _ in keys], object), return_index=True, return_inverse=True
    )
    return (
        products,
        link_row,
        np.cumsum([0, *sizes[:-1]]).astype(np.int64),
        group_of.astype(np.int64),
        group_start.astype(np.int64),
    )


def _vector_file(n: int, dim: int) -> NDArray[np.float16]:
    with tempfile.TemporaryFile(prefix="lapel-evaluate-") as file:  # it lives as long as its map
        return np.memmap(file, np.float16, "w+", shape=(max(n, 1), dim))
