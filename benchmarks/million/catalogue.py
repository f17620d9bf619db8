"""Write a home with a catalogue of many garments straight by SQL.

    python -m benchmarks.million.catalogue [--garments 1000000] [--seed 0] [--home FOLDER]

For measuring searches: no model runs, the vectors are grown (`benchmarks/million/vectors.py`) and
carry the fingerprint of the bundled models. Their attribute heads say the kind of each garment, so
that tops lie among tops, as in a shop. Two photos an item, one garment a photo, two items a group.
What items cost is spread evenly from 0 to 100, so that `price<=5` passes 5 % of them; other columns
have a shop's words. The same seed writes the same rows.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, insert, update
from tqdm import tqdm

from benchmarks.million.vectors import fused_vectors
from indexer.catalogue.catalogue import Catalogue
from indexer.fused_vector import Layout, to_bytes
from indexer.models.loading import Models, load_models
from indexer.settings import Settings
from indexer.storage.tables import (
    CatalogueRow,
    GarmentRow,
    ItemGarmentRow,
    ItemPhotoRow,
    ItemRow,
    PhotoRow,
    SqlTable,
)
from indexer.vocabulary.categories import slot_of

CHUNK = 10_000  # garments of one transaction: 15 MB of vectors
PHOTOS = 2  # of an item
# Shares as in the shops at hand: about half of what they show is worn above the waist.
SLOTS = {"top": 0.5, "bottom": 0.3, "dress": 0.12, "outer": 0.08}
CATEGORIES = {"top": "t-shirt", "bottom": "jeans", "dress": "dress", "outer": "jacket"}
COLOURS = ("black", "white", "navy", "grey", "red", "beige", "blue", "green", "pink", "brown")
BRANDS = 200
OUT_OF_STOCK = 0.2
Row = dict[str, Any]


def main() -> None:
    """Write the catalogue and its vectors, unless they are there."""
    parser = argparse.ArgumentParser(prog="benchmarks.million.catalogue", description=__doc__)
    parser.add_argument("--garments", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    print(big_catalogue(given.garments, given.seed, given.home).settings.home)


def big_catalogue(garments: int, seed: int = 0, home: Path | None = None) -> Catalogue:
    """Return a catalogue of so many garments, written now or before."""
    folder = home or Path("runs") / "big" / f"{garments}-{seed}"
    models = load_models(Settings(home=folder))
    catalogue = Catalogue.open(Settings(home=folder), create=True)
    row = catalogue.row()
    if row.fingerprint is not None:
        if row.fingerprint == models.fingerprint:
            return catalogue
        _rename(catalogue, models.fingerprint)  # only the name is of the models
        return catalogue
    vectors, _ = fused_vectors(garments, seed)
    kinds = _kinds_seen(models, vectors)
    write_garments(catalogue, vectors, models.fingerprint, models.layout, seed, kinds)
    catalogue.rebuild()
    return catalogue


def _kinds_seen(models: Models, vectors: NDArray[np.float32]) -> list[str]:
    """Return each garment's likeliest category, (n,), as the models' heads see it."""
    at, found = models.layout.slices()["visual"], []
    for start in range(0, len(vectors), CHUNK):
        scores = models.heads.scores(np.ascontiguousarray(vectors[start : start + CHUNK, at]))
        rows = range(len(vectors[start : start + CHUNK]))
        found += [models.heads.likeliest_category(scores, row, "unknown") for row in rows]
    return found


def write_garments(
    catalogue: Catalogue,
    vectors: NDArray[np.float32],
    fingerprint: str,
    layout: Layout,
    seed: int = 0,
    kinds: Sequence[str] | None = None,
) -> None:
    """Fill an empty catalogue with items whose garments have these vectors (n, dim).

    `kinds` are their categories (n,); without, they are drawn.
    """
    with catalogue.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA synchronous=OFF")  # of this connection alone
    for at in tqdm(range(0, len(vectors), CHUNK), desc="write rows", unit="chunk"):
        some = vectors[at : at + CHUNK]
        with catalogue.engine.begin() as connection:
            some_kinds = None if kinds is None else kinds[at : at + CHUNK]
            for table, rows in _rows(catalogue.id, at, some, fingerprint, seed, some_kinds):
                connection.execute(insert(table), rows)
    with catalogue.engine.begin() as connection:
        _bind(connection, catalogue.id, fingerprint, layout, len(vectors))


def _bind(
    connection: Connection, catalogue_id: int, fingerprint: str, layout: Layout, count: int
) -> None:
    connection.execute(
        update(CatalogueRow)
        .where(CatalogueRow.id == catalogue_id)
        .values(fingerprint=fingerprint, layout=asdict(layout), revision=count // CHUNK + 1)
    )
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("ANALYZE")


def _rename(catalogue: Catalogue, fingerprint: str) -> None:
    with catalogue.engine.begin() as connection:
        connection.execute(
            update(CatalogueRow)
            .where(CatalogueRow.id == catalogue.id)
            .values(fingerprint=fingerprint)
        )


def _rows(
    catalogue_id: int,
    at: int,
    vectors: NDArray[np.float32],
    fingerprint: str,
    seed: int,
    kinds: Sequence[str] | None,
) -> Iterator[tuple[type[SqlTable], Sequence[Row]]]:
    """Yield the rows of one chunk by table; ids are places, from 1."""
    rng = np.random.default_rng([seed, at])
    first = at // PHOTOS + 1
    items = [_item(catalogue_id, first + i, rng) for i in range(-(-len(vectors) // PHOTOS))]
    garments = range(at + 1, at + 1 + len(vectors))
    owner = {g: (g - 1) // PHOTOS + 1 for g in garments}
    if kinds is not None:
        for item, kind in zip(items, kinds[::PHOTOS], strict=True):
            item |= {"category": kind, "slot": slot_of(kind)}
            item["title"] = f"{item['colour']} {kind} {item['id']}"
    seen = kinds or [items[owner[g] - first]["category"] for g in garments]
    yield ItemRow, items
    size = {"height": 800, "width": 600}
    yield (
        PhotoRow,
        [{"id": g, "catalogue_id": catalogue_id, "sha256": f"{g:064x}", **size} for g in garments],
    )
    shown = [(owner[g], g, (g - 1) % PHOTOS, f"images/{g}.jpg") for g in garments]
    names = ("item_id", "photo_id", "position", "address")
    yield ItemPhotoRow, [dict(zip(names, each, strict=True)) for each in shown]
    yield (
        GarmentRow,
        [
            _garment(catalogue_id, g, kind, vector, fingerprint)
            for g, kind, vector in zip(garments, seen, vectors, strict=True)
        ],
    )
    yield ItemGarmentRow, [{"item_id": owner[g], "garment_id": g} for g in garments]


def _item(catalogue_id: int, number: int, rng: np.random.Generator) -> Row:
    slot = str(rng.choice(list(SLOTS), p=list(SLOTS.values())))
    colour = COLOURS[int(rng.integers(len(COLOURS)))]
    return {
        "id": number,
        "catalogue_id": catalogue_id,
        "item_id": f"item-{number}",
        "group_id": f"group-{number // 2}",
        "title": f"{colour} {CATEGORIES[slot]} {number}",
        "description": "Soft cotton, made to last. Machine wash cold with like colours.",
        "category": CATEGORIES[slot],
        "slot": slot,
        "colour": colour,
        "brand": f"Brand {int(rng.integers(BRANDS))}",
        "price": round(float(rng.uniform(0, 100)), 2),
        "currency": "EUR",
        "availability": "out_of_stock" if rng.random() < OUT_OF_STOCK else "in_stock",
        "link": f"https://shop.example/{number}",
        "fields": {"material": "cotton", "season": ("summer", "winter")[number % 2]},
        "content_hash": f"{number:064x}",
    }


def _garment(
    catalogue_id: int, number: int, kind: str, vector: NDArray[np.float32], fingerprint: str
) -> Row:
    return {
        "id": number,
        "catalogue_id": catalogue_id,
        "photo_id": number,
        "slot": slot_of(kind),
        "category": kind,
        "confidence": 0.9,
        "is_fallback": False,
        "box": [0.2, 0.1, 0.8, 0.9],
        "palette": [{"name": "black", "hex": "#101010", "share": 1.0}],
        "attributes": {"category": {kind: 0.9}},
        "fingerprint": fingerprint,
        "vector": to_bytes(vector),
    }


if __name__ == "__main__":
    main()
