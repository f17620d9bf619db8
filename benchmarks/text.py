"""How well a shopper's words find the right slot, category and colour.

    python -m benchmarks.text

The words are in `text_queries.tsv`. Each asks three catalogues: the kagl set and Luma's main photos
(neither's photos are trained on: of Luma the test skus), and the drawn sample shop. Of the first
five hits, how many are of the asked slot, of the asked category, of the asked colour (one of the
eleven basic ones)? A query counts where the catalogue has something to find; a catalogue with two
red dresses can give two at most, so the right ones are divided by min(5, those there are).
"""

import argparse
import csv
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.kagl import Product, read_products, stored_vectors
from benchmarks.shop import fill_shop, item_vectors
from indexer.categories import find_category
from indexer.colour_names import basic_name
from indexer.describe import Describer
from indexer.feeds import read_feed
from indexer.feeds.record import ItemRecord
from indexer.models import Models, load_models
from indexer.sample import sample_items, write_shop
from indexer.settings import Settings
from search.text import TEXT_WEIGHTS, read_text
from training.intervals import cell, table
from training.luma import luma_photos, luma_records

QUERIES = Path(__file__).parent / "text_queries.tsv"
FIRST = 5
FIELDS = ("slot", "category", "colour")


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """Items to find: fused vectors (n, dim), and what is true of each: (n,) per field."""

    name: str
    vectors: NDArray[np.float32]
    truth: Mapping[str, NDArray[np.str_]]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.text", description=__doc__)
    parser.parse_args()
    models = load_models(Settings())
    galleries = [sample_gallery(models)]
    try:
        products = read_products()
        galleries.append(luma_gallery(models))
        with tempfile.TemporaryDirectory() as home:
            vectors = stored_vectors(Path(home), products, models)
        galleries.append(kagl_gallery(products, vectors))
    except FileNotFoundError as error:
        print(f"(only the drawn shop: {error})")
    print(report(galleries, models))


def read_queries() -> list[dict[str, str]]:
    """Read the words with the slot, category and colour they ask for."""
    with QUERIES.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def report(galleries: Sequence[Gallery], models: Models) -> str:
    """Return a table, one row a catalogue."""
    rows = []
    for gallery in galleries:
        found = [found_share(gallery, asked, models) for asked in read_queries()]
        kept = [each for each in found if each]
        cells = [cell([each[f] for each in kept if f in each]) for f in FIELDS]
        rows.append([gallery.name, str(len(kept)), *cells])
    heads = ["text search, share of the first five", "queries", "slot", "category", "colour"]
    return table(heads, rows)


def found_share(
    gallery: Gallery, asked: Mapping[str, str], models: Models
) -> dict[str, float] | None:
    """Return the share of right hits by field; None where the catalogue has nothing to find."""
    right = {f: gallery.truth[f] == asked[f] for f in FIELDS if asked[f]}
    all_right = np.logical_and.reduce(list(right.values()))
    if not all_right.any():
        return None
    query = read_text(asked["text"], models)
    scores = gallery.vectors @ models.layout.weigh(query.vector, TEXT_WEIGHTS)
    if query.slot != "unknown":
        scores = np.where(gallery.truth["slot"] == query.slot, scores, -np.inf)
    first = np.argsort(-scores, kind="stable")[:FIRST]
    reachable = min(FIRST, int(all_right.sum()))
    return {f: min(1.0, float(each[first].sum()) / reachable) for f, each in right.items()}


def sample_gallery(models: Models) -> Gallery:
    """Index the drawn shop as its feed says."""
    with tempfile.TemporaryDirectory() as folder:
        write_shop(Path(folder) / "shop", sample_items(), progress=False)
        records = [
            record
            for record in read_feed(Path(folder) / "shop" / "feed.tsv")
            if isinstance(record, ItemRecord)
        ]
        images = Path(folder) / "shop"
        local = [_with_folder(record, images) for record in records]
        return _gallery("drawn sample shop", Path(folder) / "home", local, models)


def luma_gallery(models: Models) -> Gallery:
    """Index the main photos of Luma's test skus."""
    products = luma_records()
    records = [
        ItemRecord(
            f"{p.sku}-{p.colour}",
            p.sku,
            (str(p.path.absolute()),),
            title=products[p.sku.lower()].title,
            category=products[p.sku.lower()].category,
            slot=products[p.sku.lower()].slot,
            colour=p.colour,
        )
        for p in luma_photos()
        if p.view == "main" and p.is_test
    ]
    with tempfile.TemporaryDirectory() as home:
        return _gallery("Luma, test skus", Path(home), records, models)


def kagl_gallery(products: Sequence[Product], vectors: NDArray[np.float32]) -> Gallery:
    """Return the kagl set, its vectors in the products' order."""
    truth = {
        "slot": np.array([product.slot for product in products]),
        "category": np.array([find_category(p.article_type) or "" for p in products]),
        "colour": np.array([basic_name(product.colour) or "" for product in products]),
    }
    return Gallery(f"kagl ({len(products)})", vectors, truth)


def _gallery(name: str, home: Path, records: Sequence[ItemRecord], models: Models) -> Gallery:
    catalogue, _ = fill_shop(home, records, Describer(models))
    by_id = item_vectors(catalogue)
    kept = [record for record in records if record.item_id in by_id]
    truth = {
        "slot": np.array([record.slot or "" for record in kept]),
        "category": np.array([record.category or "" for record in kept]),
        "colour": np.array([basic_name(record.colour or "") or "" for record in kept]),
    }
    return Gallery(f"{name} ({len(kept)})", np.stack([by_id[r.item_id] for r in kept]), truth)


def _with_folder(record: ItemRecord, folder: Path) -> ItemRecord:
    return replace(record, photos=tuple(str(folder / photo) for photo in record.photos))


if __name__ == "__main__":
    main()
