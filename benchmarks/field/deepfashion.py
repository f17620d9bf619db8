"""Measure the benchmarks of DeepFashion whose data a folder holds.

Liu et al., DeepFashion, CVPR 2016: Category and Attribute Prediction (`deepfashion_labels.py`),
In-shop Clothes Retrieval, Consumer-to-shop Clothes Retrieval. The folder is one benchmark's (Anno,
Eval, Img), or holds several. Retrieval is read by the feed reader
(`indexer/feeds/formats/deepfashion.py`).
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.field import deepfashion_labels
from benchmarks.field.described import LoadModels, describe_records, models_line, retrieval_rows
from benchmarks.field.report import Report, Row, Table, published
from indexer.description.describe import Describer
from indexer.errors import FeedError
from indexer.feeds.formats import deepfashion
from indexer.feeds.reading.record import ItemRecord
from indexer.models.loading import Models

SOURCE = "https://mmlab.ie.cuhk.edu.hk/projects/DeepFashion.html (Google Drive, by agreement)"
IN_SHOP_KS = (1, 10, 20, 30, 50)
TO_SHOP_KS = (1, 5, 10, 20, 30, 40, 50)
# By the list of boxes that names them, in the folder or its Anno.
IN_SHOP, TO_SHOP = "list_bbox_inshop.txt", "list_bbox_consumer2shop.txt"
PARTITION = "list_eval_partition.txt"
FASHION_NET_IN_SHOP = (
    published("FashionNet (Liu et al. 2016)", (0.530, 0.730, 0.760, 0.770, 0.800)),
    published("HDC (Yuan et al. 2017)", (0.621, 0.849, 0.890, 0.912, 0.931)),
    published("HTL (Ge et al. 2018)", (0.809, 0.943, 0.958, 0.972, 0.978)),
)
FASHION_NET_TO_SHOP = published(
    "FashionNet (Liu et al. 2016)", (None, None, None, 0.188, None, None, None)
)


def measure(folder: Path, load: LoadModels) -> Report:
    """Measure each benchmark found. Raises FileNotFoundError, FeedError and PhotoError."""
    there = benchmarks_in(folder)
    if not there:
        raise FileNotFoundError(
            f"none of {', '.join(BENCHMARKS)} in {folder}, the Anno of it, or of a folder in it; "
            f"unpack one of the three benchmarks there; they are to be had: {SOURCE}"
        )
    models = load()
    tables: list[Table] = []
    notes = ["Lapel was not trained on DeepFashion; what is published beside it was."]
    for name, place in there:
        more, said = BENCHMARKS[name](place, models)
        tables += more
        notes += said
    missing = sorted(set(BENCHMARKS) - {name for name, _ in there})
    if missing:
        notes.append(f"Not measured, as not in the folder: the benchmarks of {', '.join(missing)}.")
    title = "DeepFashion: categories, attributes, retrieval"
    return Report("deepfashion", title, models_line(models), tuple(tables), tuple(notes))


def benchmarks_in(folder: Path) -> list[tuple[str, Path]]:
    """Return the benchmarks in a folder and in the folders in it, by the list that names each."""
    found: dict[str, Path] = {}
    for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        for name in BENCHMARKS:
            if any((place / part / name).is_file() for part in ("", *deepfashion_labels.PLACES)):
                found.setdefault(name, place)
    return [(name, found[name]) for name in BENCHMARKS if name in found]


def in_shop(folder: Path, models: Models) -> tuple[list[Table], list[str]]:
    """Measure In-shop Clothes Retrieval: query photos ask the gallery for their item."""
    records = read_records(folder)
    asked = [record for record in records if record.fields.get("partition") == "query"]
    shop = [record for record in records if record.fields.get("partition") == "gallery"]
    rows = _retrieved(asked, shop, folder, models, IN_SHOP_KS)
    title = f"In-shop retrieval, {len(asked)} queries, gallery of {len(shop)}"
    heads = tuple(f"recall@{k}" for k in IN_SHOP_KS)
    return [Table(title, heads, (*rows, *FASHION_NET_IN_SHOP))], [
        "In-shop: the official partition; right is any photo of the query's item_id in the "
        "gallery. The garment is cut out at its annotated box and described as the shop's own "
        "photos are; published models take the whole photo or its box."
    ]


def to_shop(folder: Path, models: Models) -> tuple[list[Table], list[str]]:
    """Measure Consumer-to-shop Clothes Retrieval: consumers' photos ask for the shop's."""
    records = [r for r in read_records(folder) if r.fields.get("partition") == "test"]
    asked = [record for record in records if record.fields.get("source") == "consumer"]
    shop = [record for record in records if record.fields.get("source") == "shop"]
    rows = _retrieved(asked, shop, folder, models, TO_SHOP_KS)
    title = f"Consumer-to-shop retrieval, {len(asked)} queries, gallery of {len(shop)}"
    heads = tuple(f"top-{k}" for k in TO_SHOP_KS)
    return [Table(title, heads, (*rows, FASHION_NET_TO_SHOP))], [
        "Consumer-to-shop: queries and gallery are the consumers' and the shops' photos of the "
        "test pairs; right is any shop photo of the query's item_id."
    ]


def read_records(folder: Path) -> list[ItemRecord]:
    """Read a retrieval benchmark. Raises FeedError where its lists or boxes cannot be used."""
    rows = list(deepfashion.read(folder))
    records = [row for row in rows if isinstance(row, ItemRecord)]
    if len(records) < len(rows):
        first = next(row for row in rows if not isinstance(row, ItemRecord))
        raise FeedError(f"{len(rows) - len(records)} lines of {folder}'s list of boxes cannot be "
                        f"used, the first is line {first.row}: {first.detail}")  # fmt: skip
    return records


def _retrieved(
    asked: Sequence[ItemRecord],
    shop: Sequence[ItemRecord],
    folder: Path,
    models: Models,
    ks: Sequence[int],
) -> tuple[Row, ...]:
    if not asked or not shop:
        raise FeedError(
            f"{folder} names {len(asked)} query and {len(shop)} gallery photos; expected both in "
            f"Eval/{PARTITION} (In-shop: query, gallery; Consumer-to-shop: test) and in the list "
            f"of boxes; the set is to be had: {SOURCE}"
        )
    describer = Describer(models)
    queries = describe_records(asked, folder, describer, "queries")
    gallery = describe_records(shop, folder, describer, "gallery")
    labels = ([record.group_id for record in asked], [record.group_id for record in shop])
    return retrieval_rows(models.layout, queries, gallery, labels, ks)


BENCHMARKS: dict[str, Callable[[Path, Models], tuple[list[Table], list[str]]]] = {
    deepfashion_labels.CATEGORIES: deepfashion_labels.predict,
    IN_SHOP: in_shop,
    TO_SHOP: to_shop,
}
