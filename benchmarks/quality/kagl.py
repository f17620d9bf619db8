"""How well another shop's photos find each other, and its titles their photos.

    python -m benchmarks.quality.kagl

The set (2,595 garments, `$LAPEL_SHARED` or `../shared`) is never trained on. Photo to photo: each
item's own garment asks the rest; is the first hit of the same article type, the same colour, both?
Text to product: an item's title asks all photos; recall_at_k and the mean reciprocal rank of its
own photo. The published rows are those of the Marqo leaderboard, on the whole set of some 44,000
products: finding one of 2,595 is easier.
"""

import argparse
import csv
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.quality.catalogue import fill_shop, item_vectors
from indexer.description.describe import Describer
from indexer.feeds.reading.record import ItemRecord
from indexer.fused_vector import DEFAULT_WEIGHTS, Layout
from indexer.garments import Slot
from indexer.images.photo import read_photo
from indexer.models.loading import Models, load_models
from indexer.settings import Settings
from indexer.vocabulary.categories import find_category, slot_of, telling
from search.evaluation.bootstrap import cell, table
from search.query.text_query import TEXT_WEIGHTS, read_text
from training.data.location import set_folder

SLOTS: Mapping[str, Slot] = {"Topwear": "top", "Bottomwear": "bottom", "Dress": "dress"}
ONE_PART: Mapping[str, Mapping[str, float]] = {
    "visual only": {"visual": 1, "colour": 0, "attributes": 0},
    "colour only": {"visual": 0, "colour": 1, "attributes": 0},
    "attributes only": {"visual": 0, "colour": 0, "attributes": 1},
}
# Measured before on another half of the set with whole photos (issue: models worth bundling).
WHOLE_PHOTOS = (
    ("whole photo, ImageNet features", "0.851", "0.318", "0.276"),
    ("whole photo, CIELAB histogram", "0.469", "0.482", "0.261"),
    ("whole photo, both", "0.799", "0.486", "0.392"),
)
PUBLISHED = (
    ("Marqo FashionSigLIP, whole set", "0.179", "0.489", "0.293"),
    ("FashionCLIP 2.0, whole set", "0.122", "0.404", "0.217"),
)
RANKS = (1, 10)


@dataclass(frozen=True, slots=True)
class Product:
    """One row of the set; `slot` is where the shop sorts it."""

    id: str
    title: str
    article_type: str
    colour: str
    slot: Slot
    path: Path


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="benchmarks.quality.kagl", description=__doc__)
    parser.parse_args()
    models = load_models(Settings())
    try:
        products = read_products()
    except FileNotFoundError as error:
        parser.error(str(error))
    with tempfile.TemporaryDirectory() as home:
        print(report(products, stored_vectors(Path(home), products, models), models))


def read_products(folder: Path | None = None) -> list[Product]:
    """Read the set. Raises FileNotFoundError."""
    folder = set_folder("kagl", "products.csv", folder)
    with (folder / "products.csv").open(encoding="utf-8", newline="") as file:
        return [
            Product(
                row["id"],
                row["title"],
                row["article_type"],
                row["colour"],
                _slot(row["article_type"], row["sub_category"]),
                (folder / row["image"]).absolute(),
            )
            for row in csv.DictReader(file)
        ]


def _slot(article_type: str, sub_category: str) -> Slot:
    """Sort as a feed is sorted: by the category's word, else by the shop's own group."""
    category = find_category(article_type)
    return slot_of(category) if category else SLOTS[sub_category]


def stored_vectors(home: Path, products: Sequence[Product], models: Models) -> NDArray[np.float32]:
    """Index the set; return the fused vectors (n, dim) in the products' order."""
    records = [ItemRecord(p.id, p.id, (str(p.path),), slot=p.slot) for p in products]
    catalogue, _ = fill_shop(home, records, Describer(models))
    by_id = item_vectors(catalogue)
    return np.stack([by_id[product.id] for product in products])


def report(products: Sequence[Product], vectors: NDArray[np.float32], models: Models) -> str:
    """Return both tables."""
    runs = {**ONE_PART, "**fused, default weights**": DEFAULT_WEIGHTS}
    slots = np.array([product.slot for product in products])
    rows = [
        [name, *map(cell, photo_to_photo(products, vectors, models.layout, weights, slots))]
        for name, weights in runs.items()
    ]
    anywhere = photo_to_photo(products, vectors, models.layout, DEFAULT_WEIGHTS, None)
    rows.append(["fused, all slots searched", *map(cell, anywhere)])
    head = f"kagl, {len(products)} garments, never trained on"
    photo_table = table([f"{head}: photo to photo, precision@1", "article type", "colour", "both"],
                        [*rows, *map(list, WHOLE_PHOTOS)])  # fmt: skip
    if not models.encoder.speaks_text:
        return f"{photo_table}\n\n(this encoder knows no text)"
    found = text_to_product(products, vectors, slots, models)
    cells = [cell(found <= k) for k in RANKS] + [cell(1 / found)]
    text_rows = [["**title to product**", *cells], *map(list, PUBLISHED)]
    return (
        f"{photo_table}\n\n{table([f'{head}: title to product', 'R@1', 'R@10', 'MRR'], text_rows)}"
    )


def category_table(products: Sequence[Product], models: Models) -> str:
    """Return how often each article type's category is read, and what else is, as Markdown.

    Types that the vocabulary knows no finer than their slot do not count.
    """
    describer = Describer(models)
    said: dict[str, list[str]] = {}
    for product in tqdm(products, desc="kagl", unit="photo"):
        if category := telling(find_category(product.article_type)):
            (garment,) = describer.describe([read_photo(product.path)], [product.slot])[0]
            said.setdefault(category, []).append(garment.category)
    rows = []
    for category, answers in sorted(said.items(), key=lambda item: -len(item[1])):
        wrong = Counter(each for each in answers if each != category).most_common(3)
        mistaken = ", ".join(f"{word} {count}" for word, count in wrong)
        right = np.array([answer == category for answer in answers])
        rows.append([category, str(len(answers)), f"{right.mean():.3f}", mistaken])
    right = np.concatenate([[a == category for a in said[category]] for category in said])
    rows.append(["all", str(len(right)), cell(right), ""])
    return table(["kagl, category of its slot", "photos", "right", "mistaken for"], rows)


def photo_to_photo(
    products: Sequence[Product],
    vectors: NDArray[np.float32],
    layout: Layout,
    weights: Mapping[str, float],
    slots: NDArray[np.str_] | None,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Say of each product (n,) whether its nearest other has its type, its colour, and both."""
    asked = np.stack([layout.weigh(vector, weights) for vector in vectors])
    scores = asked @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    if slots is not None:  # the product's own default: tops for a top
        scores[slots[:, None] != slots[None]] = -np.inf
    nearest = scores.argmax(axis=1)
    types = np.array([product.article_type for product in products])
    colours = np.array([product.colour for product in products])
    same_type, same_colour = types == types[nearest], colours == colours[nearest]
    return same_type, same_colour, same_type & same_colour


def text_to_product(
    products: Sequence[Product],
    vectors: NDArray[np.float32],
    slots: NDArray[np.str_],
    models: Models,
) -> NDArray[np.int64]:
    """Return the rank (n,), from 1, of each product when its title asks."""
    ranks = []
    for i, product in enumerate(tqdm(products, desc="titles", unit="title")):
        query = read_text(product.title, models)
        scores = vectors @ models.layout.weigh(query.vector, TEXT_WEIGHTS)
        if query.slot != "unknown":  # as a search does: only what is worn there
            scores = np.where(slots == query.slot, scores, scores - 10)
        # Photos that score the same share the middle of their ranks.
        ranks.append(1 + int((scores > scores[i]).sum() + (scores == scores[i]).sum() // 2))
    return np.array(ranks)


if __name__ == "__main__":
    main()
