"""How well a shopper's words find the right slot, category and colour.

    python -m benchmarks.quality.text [--without-kagl]

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
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.catalogue import fill_shop, item_vectors
from benchmarks.quality.kagl import Product, read_products, stored_vectors
from indexer.description.describe import Describer
from indexer.feeds import read_feed
from indexer.feeds.reading.record import ItemRecord
from indexer.models.loading import Models, load_models
from indexer.settings import Settings
from indexer.vocabulary.categories import find_category
from indexer.vocabulary.colour_terms import basic_name
from search.evaluation.bootstrap import cell, table
from search.query.options import WORDS_WEIGHT, Options
from search.query.text_query import TEXT_WEIGHTS, read_text
from search.searcher import Searcher
from training.data.luma import luma_photos, luma_records
from training.sample_shop import sample_items, write_shop

QUERIES = Path(__file__).parent / "text_queries.tsv"
FIRST = 5
FIELDS = ("slot", "category", "colour")


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """Items to find: fused vectors (n, dim), and what is true of each: (n,) per field.

    `items` are their ids, and `searcher` is their catalogue's, where they are in one; `names` are
    products' titles by group.
    """

    name: str
    vectors: NDArray[np.float32]
    truth: Mapping[str, NDArray[np.str_]]
    items: Sequence[str] = ()
    searcher: Searcher | None = None
    names: Mapping[str, str] = field(default_factory=dict)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="benchmarks.quality.text", description=__doc__)
    parser.add_argument("--without-kagl", action="store_true", help="it takes the longest")
    given = parser.parse_args()
    models = load_models(Settings())
    with tempfile.TemporaryDirectory() as folder:
        galleries = [sample_gallery(Path(folder) / "sample", models)]
        try:
            products = [] if given.without_kagl else read_products()
            galleries.append(luma_gallery(Path(folder) / "luma", models))
            if products:
                vectors = stored_vectors(Path(folder) / "kagl", products, models)
                galleries.append(kagl_gallery(products, vectors))
        except FileNotFoundError as error:
            print(f"(not all: {error})")
        print(report(galleries, models))
        print()
        print(report_searches(galleries))


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


def report_searches(galleries: Sequence[Gallery]) -> str:
    """Return a table of whole searches, by looks alone and with what the feed says."""
    rows = []
    for gallery in galleries:
        if gallery.searcher is None:
            continue
        for how, words in (("looks alone", 0.0), ("the feed's words, too", WORDS_WEIGHT)):
            options = Options(k=FIRST, group=False, words=words)
            found = [searched_share(gallery, asked, options) for asked in read_queries()]
            kept = [each for each in found if each]
            cells = [cell([each[f] for each in kept if f in each]) for f in FIELDS]
            named = name_first(gallery, options)
            rows.append([gallery.name, how, *cells, cell(named) if named else ""])
    heads = ["searches, share of the first five", "by", "slot", "category", "colour", "own name"]
    return table(heads, rows)


def name_first(gallery: Gallery, options: Options) -> list[bool]:
    """Return for each product's name whether the product is the first hit."""
    if gallery.searcher is None:
        return []
    first = replace(options, k=1)
    answers = {g: gallery.searcher.search_text(name, first) for g, name in gallery.names.items()}
    return [[hit.item.group_id for hit in each.hits] == [g] for g, each in answers.items()]


def searched_share(
    gallery: Gallery, asked: Mapping[str, str], options: Options
) -> dict[str, float] | None:
    """Return the share of a search's right hits by field, as `found_share`."""
    if gallery.searcher is None:
        return None
    place = {item_id: i for i, item_id in enumerate(gallery.items)}
    hits = gallery.searcher.search_text(asked["text"], options).hits
    return right_share(gallery, asked, [place[hit.item.item_id] for hit in hits])


def found_share(
    gallery: Gallery, asked: Mapping[str, str], models: Models
) -> dict[str, float] | None:
    """Return the share of right hits by field; None where the catalogue has nothing to find."""
    query = read_text(asked["text"], models)
    scores = gallery.vectors @ models.layout.weigh(query.vector, TEXT_WEIGHTS)
    if query.slot != "unknown":
        scores = np.where(gallery.truth["slot"] == query.slot, scores, -np.inf)
    return right_share(gallery, asked, np.argsort(-scores, kind="stable")[:FIRST].tolist())


def right_share(
    gallery: Gallery, asked: Mapping[str, str], first: Sequence[int]
) -> dict[str, float] | None:
    """Return which share of the first hits, by their places, is right by field."""
    right = {f: gallery.truth[f] == asked[f] for f in FIELDS if asked[f]}
    all_right = np.logical_and.reduce(list(right.values()))
    if not all_right.any():
        return None
    reachable = min(FIRST, int(all_right.sum()))
    return {f: min(1.0, float(each[list(first)].sum()) / reachable) for f, each in right.items()}


def sample_gallery(folder: Path, models: Models) -> Gallery:
    """Index the drawn shop as its feed says."""
    write_shop(folder / "shop", sample_items(), progress=False)
    records = [
        _with_folder(record, folder / "shop")
        for record in read_feed(folder / "shop" / "feed.tsv")
        if isinstance(record, ItemRecord)
    ]
    return _gallery("drawn sample shop", folder / "home", records, models)


def luma_gallery(home: Path, models: Models) -> Gallery:
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
    gallery = _gallery("Luma, test skus", home, records, models)
    return replace(gallery, names={record.group_id: record.title for record in records})


def kagl_gallery(products: Sequence[Product], vectors: NDArray[np.float32]) -> Gallery:
    """Return the kagl set, its vectors in the products' order."""
    truth = {
        "slot": np.array([product.slot for product in products]),
        "category": np.array([find_category(p.article_type) or "" for p in products]),
        "colour": np.array([basic_name(product.colour) or "" for product in products]),
    }
    return Gallery(f"kagl ({len(products)})", vectors, truth)


def _gallery(name: str, home: Path, records: Sequence[ItemRecord], models: Models) -> Gallery:
    catalogue, searcher = fill_shop(home, records, Describer(models))
    by_id = item_vectors(catalogue)
    kept = [record for record in records if record.item_id in by_id]
    truth = {
        "slot": np.array([record.slot or "" for record in kept]),
        "category": np.array([record.category or "" for record in kept]),
        "colour": np.array([basic_name(record.colour or "") or "" for record in kept]),
    }
    vectors = np.stack([by_id[record.item_id] for record in kept])
    items = [record.item_id for record in kept]
    return Gallery(f"{name} ({len(kept)})", vectors, truth, items, searcher)


def _with_folder(record: ItemRecord, folder: Path) -> ItemRecord:
    return replace(record, photos=tuple(str(folder / photo) for photo in record.photos))


if __name__ == "__main__":
    main()
