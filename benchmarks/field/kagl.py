"""Measure text-to-product retrieval on KAGL as the Marqo leaderboard does.

The set is Kaggle's "fashion product images" (P. Aggarwal, 2019), as it is had there: `styles.csv`
and `images/ID.jpg`. A part of it is read as `benchmarks/quality/kagl.py` does: `products.csv`
(id, title,
sub_category, article_type, colour, usage, image) beside the images.
"""

import csv
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.field.described import LoadModels, models_line
from benchmarks.field.metrics import first_right_ranks
from benchmarks.field.report import Measure, Report, Row, Table, published
from benchmarks.quality.kagl import (
    RANKS,
    SLOTS,
    Product,
    read_products,
    stored_vectors,
    text_to_product,
)
from indexer.errors import FeedError
from indexer.models.loading import Models
from indexer.vocabulary.categories import find_category, slot_of
from search.evaluation.bootstrap import interval

SOURCE = "https://www.kaggle.com/datasets/paramaggarwal/fashion-product-images-dataset"
STYLES = "styles.csv"
COLUMNS = ("id", "subCategory", "articleType", "baseColour", "productDisplayName")
HEADS = (*(f"R@{k}" for k in RANKS), "MRR")
# github.com/marqo-ai/marqo-FashionCLIP, LEADERBOARD.md, KAGL, text to image.
LEADERBOARD = (
    published("Marqo-FashionSigLIP, whole set", (0.179, 0.489, 0.293)),
    published("FashionCLIP 2.0, whole set", (0.122, 0.404, 0.217)),
)


def measure(folder: Path, load: LoadModels) -> Report:
    """Let every title ask for its photo. Raises FileNotFoundError and FeedError."""
    is_whole = (folder / STYLES).is_file()
    try:
        products = read_styles(folder) if is_whole else read_products(folder)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}; or give the whole set, {STYLES}: {SOURCE}") from error
    titles = [product.title for product in products]
    models = load()
    rows: list[Row] = []
    if models.encoder.speaks_text:
        with tempfile.TemporaryDirectory() as home:
            vectors = stored_vectors(Path(home), products, models)
        slots = np.array([product.slot for product in products])
        searched = text_to_product(products, vectors, slots, models)
        alone, alike = tower_ranks(titles, vectors, models)
        rows = [
            Row("**Lapel, as a search does**", _cells(searched)),
            Row("Lapel, text tower alone, all photos", _cells(alone)),
            Row("the same, any product of that title is right", _cells(alike)),
        ]
    table = Table(f"KAGL, {len(products)} products, title to product", HEADS, (*rows, *LEADERBOARD))
    notes = _notes(titles, is_whole, bool(rows))
    return Report("kagl", "KAGL: words to product", models_line(models), (table,), notes)


def read_styles(folder: Path) -> list[Product]:
    """Read the whole set: products whose picture is there, of any kind. Raises FeedError."""
    products = []
    with (folder / STYLES).open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, restkey="more")
        if missing := set(COLUMNS) - set(rows.fieldnames or ()):
            raise FeedError(f"{folder / STYLES} lacks the columns {', '.join(sorted(missing))}")
        for row in rows:
            path = (folder / "images" / f"{row['id']}.jpg").absolute()
            if not path.is_file():  # a few rows have none
                continue
            # The title stands last, and some have commas without quotes.
            title = ",".join([row["productDisplayName"] or "", *row.get("more", ())]).strip(",")
            category = find_category(row["articleType"])
            slot = slot_of(category) if category else SLOTS.get(row["subCategory"], "unknown")
            products.append(
                Product(row["id"], title, row["articleType"], row["baseColour"], slot, path)
            )
    if not products:
        raise FeedError(f"none of the pictures of {folder / STYLES} is in {folder / 'images'}; "
                        f"expected ID.jpg; the set is to be had: {SOURCE}")  # fmt: skip
    return products


def tower_ranks(
    titles: Sequence[str], vectors: NDArray[np.float32], models: Models
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ranks (n,) by the visual part alone: of each title's own photo, and of any of it."""
    visual = vectors[:, models.layout.slices()["visual"]]
    asked = models.encoder.embed_text(titles)
    own, named = np.arange(len(titles)), np.array(titles)
    return (
        first_right_ranks(asked, visual, own, own),
        first_right_ranks(asked, visual, named, named),
    )


def _cells(ranks: NDArray[np.int64]) -> tuple[Measure, ...]:
    return tuple(Measure.of(interval(v)) for v in (*(ranks <= k for k in RANKS), 1 / ranks))


def _notes(titles: Sequence[str], is_whole: bool, measured: bool) -> tuple[str, ...]:
    n, shared = len(titles), sum(count for count in Counter(titles).values() if count > 1)
    here = (
        "so do these rows"
        if is_whole
        else f"this is {n} tops, bottoms and dresses, and a smaller gallery is easier"
    )
    return (
        *(() if measured else ("This encoder was not trained on text: nothing was measured.",)),
        f"The leaderboard uses the whole set, some 44,000 products of all kinds; {here}. Its "
        "models are ViT-B/16, trained on text and photos of shops; it compares only the text's "
        "vector with the photo's, as the row of the text tower alone does.",
        "As in a search, words for a colour and a category count by themselves, and a title with a "
        "kind of garment is searched in its slot only. The slot is the shop's own, as in a feed.",
        f"{shared} of the {n} titles belong to several products, which no model can tell apart by "
        "title. Among photos of equal score the right one ranks in the middle (as a search) or "
        "last (the tower alone).",
        "No photo or title of this set was trained on.",
    )
