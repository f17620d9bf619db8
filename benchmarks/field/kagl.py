"""A shop's titles and photos in, text to product as the Marqo leaderboard measures it, out.

The set is a part of Kaggle's "fashion product images" (P. Aggarwal, 2019), read as
`benchmarks/kagl.py` reads it: `products.csv` (id, title, sub_category, article_type, colour, usage,
image) beside the images.
"""

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.field.described import LoadModels, models_line
from benchmarks.field.metrics import class_ranks
from benchmarks.field.report import Measure, Report, Row, Table, published
from benchmarks.kagl import RANKS, read_products, stored_vectors, text_to_product
from indexer.models import Models
from search.intervals import interval

SOURCE = "https://www.kaggle.com/datasets/paramaggarwal/fashion-product-images-dataset"
HEADS = (*(f"R@{k}" for k in RANKS), "MRR")
# github.com/marqo-ai/marqo-FashionCLIP, LEADERBOARD.md, KAGL, text to image.
LEADERBOARD = (
    published("Marqo-FashionSigLIP, whole set", (0.179, 0.489, 0.293)),
    published("FashionCLIP 2.0, whole set", (0.122, 0.404, 0.217)),
)


def measure(folder: Path, load: LoadModels) -> Report:
    """Let every title ask for its photo. Raises FileNotFoundError."""
    try:
        products = read_products(folder)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}; the whole set: {SOURCE}") from error
    models = load()
    rows: list[Row] = []
    if models.encoder.speaks_text:
        with tempfile.TemporaryDirectory() as home:
            vectors = stored_vectors(Path(home), products, models)
        slots = np.array([product.slot for product in products])
        searched = text_to_product(products, vectors, slots, models)
        alone = tower_ranks([product.title for product in products], vectors, models)
        rows = [
            Row("**Lapel, as a search does**", _cells(searched)),
            Row("Lapel, text tower alone, all photos looked at", _cells(alone)),
        ]
    title = f"KAGL, {len(products)} products, title to product"
    return Report(
        "kagl",
        "KAGL: words to product",
        models_line(models),
        (Table(title, HEADS, (*rows, *LEADERBOARD)),),
        (
            *(() if rows else ("This encoder was never taught text: nothing was measured.",)),
            f"The leaderboard asks the whole set, some 44,000 products of all kinds; here it is "
            f"{len(products)} tops, bottoms and dresses, and finding one of fewer is easier. Its "
            "models are ViT-B/16, trained on text and photos of shops; it compares the text's "
            "vector with the photo's and nothing else, as the row of the text tower alone does.",
            "As a search does: words for a colour and a kind count by themselves, and of a title "
            "that names a kind of garment only photos of its slot are looked at. The slot is the "
            "shop's own sorting, as a feed gives it.",
            "Many products share a title word by word with others: no model can tell those apart. "
            "Of photos that score the same the asked one is put in their middle (as a search) or "
            "last (the tower alone).",
            "No photo or title of this set was trained on.",
        ),
    )


def tower_ranks(
    titles: list[str], vectors: NDArray[np.float32], models: Models
) -> NDArray[np.int64]:
    """Return the rank (n,) of each title's own photo by the visual part alone."""
    visual = vectors[:, models.layout.slices()["visual"]]
    return class_ranks(models.encoder.embed_text(titles) @ visual.T, np.arange(len(titles)))


def _cells(ranks: NDArray[np.int64]) -> tuple[Measure, ...]:
    return tuple(Measure.of(interval(v)) for v in (*(ranks <= k for k in RANKS), 1 / ranks))
