"""Measure DeepFashion's Category and Attribute Prediction: top-k accuracy, attribute recall.

Liu et al., DeepFashion, CVPR 2016. The set has 50 categories and 1000 attributes of five types, by
name; Lapel answers with its category head, and for all others with what its text tower finds like
the photo. The lists are those of the benchmark's own README (Anno or Anno_coarse, Eval, Img).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.field.described import describe_records
from benchmarks.field.files import find_file, find_folder
from benchmarks.field.metrics import class_ranks, label_hits, pooled, share_at
from benchmarks.field.report import Row, Table, published
from indexer.description.describe import Describer
from indexer.errors import FeedError
from indexer.feeds.reading.record import ItemRecord
from indexer.feeds.reading.text_files import read_lines
from indexer.models.loading import Models
from indexer.vocabulary.categories import find_category

SOURCE = "https://mmlab.ie.cuhk.edu.hk/projects/DeepFashion/AttributePrediction.html"
PLACES = ("Anno", "Anno_coarse", "Eval")
CATEGORIES = "list_category_img.txt"
KS = (3, 5)
TYPES = {1: "texture", 2: "fabric", 3: "shape", 4: "part", 5: "style"}
FASHION_NET = {  # table 2 of the paper: category, then attributes of each type, top-3 and top-5
    "category": (0.8258, 0.9017),
    "all": (0.4552, 0.5461), "texture": (0.3746, 0.4952), "fabric": (0.3930, 0.4984),
    "shape": (0.3947, 0.4859), "part": (0.4413, 0.5402), "style": (0.6643, 0.7316),
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPhotos:
    """The n test photos: where they lie, their boxes, categories (n,) and attributes (n, m)."""

    folder: Path
    records: tuple[ItemRecord, ...]
    categories: NDArray[np.int64]
    attributes: NDArray[np.bool_]
    category_names: tuple[str, ...]
    attribute_names: tuple[str, ...]
    attribute_types: tuple[int, ...]


def predict(folder: Path, models: Models) -> tuple[list[Table], list[str]]:
    """Measure the test photos. Raises FileNotFoundError, FeedError and PhotoError."""
    photos = read_labels(folder)
    described = describe_records(photos.records, photos.folder, Describer(models), "test photos")
    embeddings = described.vectors[:, models.layout.slices()["visual"]]
    rows = [
        Row(name, share_at(class_ranks(scores, photos.categories), KS))
        for name, scores in category_scores(embeddings, photos.category_names, models).items()
    ]
    n = len(photos.records)
    beside = published("FashionNet (Liu et al. 2016)", FASHION_NET["category"])
    tables = [Table(f"Category of {n} test photos, {len(photos.category_names)} names",
                    tuple(f"top-{k}" for k in KS), (*rows, beside))]  # fmt: skip
    notes = [
        "Category: the head knows 20 kinds; a name of the set counts as the kind that Lapel reads "
        "in it, names of one kind are ordered by the text tower, and names of none come last.",
        "Boxes are those of the set; the garment is cut out there as the detector sees it.",
    ]
    if models.encoder.speaks_text:
        tables.append(_attribute_table(photos, embeddings, models))
        notes.append(
            "Attributes: the text tower scores all names against each photo, and what is marked "
            "in the set counts as found among the best k of all of them, also by type; the share "
            "is of all marks. Of these names the tower was taught a few."
        )
    else:
        notes.append("Attributes were not measured: this encoder was never taught text.")
    return tables, notes


def read_labels(folder: Path) -> LabelledPhotos:
    """Read the test part. Raises FileNotFoundError for a list or photo that is not there."""
    lists = [
        find_file(folder, (name,), PLACES, SOURCE)
        for name in ("list_eval_partition.txt", "list_bbox.txt", CATEGORIES, "list_attr_img.txt",
                     "list_category_cloth.txt", "list_attr_cloth.txt")
    ]  # fmt: skip
    partition, boxes, categories, attributes, category_names, attribute_names = lists
    test = [words[0] for words in rows_of(partition, 2) if words[1] == "test"]
    if not test:
        raise FeedError(f"{partition} marks no photo as test; fetch it again from {SOURCE}")
    kept = set(test)
    box = {words[0]: words[1:] for words in rows_of(boxes, 5) if words[0] in kept}
    category = {words[0]: words[1] for words in rows_of(categories, 2) if words[0] in kept}
    named = [words[:-1] for words in rows_of(attribute_names, 2, at_least=True)]
    marks = _marks(attributes, kept, len(named))
    for path, said in ((boxes, box), (categories, category), (attributes, marks)):
        if lost := [name for name in test if name not in said]:
            raise FeedError(f"{path} lacks {len(lost)} test photos, such as {lost[0]}")
    types = [int(words[-1]) for words in rows_of(attribute_names, 2, at_least=True)]
    names = tuple(words[0] for words in rows_of(category_names, 2, at_least=True))
    return LabelledPhotos(
        find_folder(folder, ("Img", "Img/img"), test[0], SOURCE),
        tuple(_record(name, box[name]) for name in test),
        np.array([int(category[name]) - 1 for name in test]),
        np.stack([marks[name] for name in test]),
        names,
        tuple(" ".join(words) for words in named),
        tuple(types),
    )


def rows_of(path: Path, n: int, *, at_least: bool = False) -> Iterator[list[str]]:
    """Yield the words of each line after the first two: their number and the header.

    Raises FeedError for a line with another number of words than n.
    """
    for number, line in enumerate(read_lines(path), start=1):
        words = line.split()
        if number <= 2 or not words:
            continue
        if len(words) < n or (len(words) > n and not at_least):
            raise FeedError(f"line {number} of {path} has {len(words)} words, not {n}; "
                            f"fetch it again from {SOURCE}")  # fmt: skip
        yield words


def category_scores(
    embeddings: NDArray[np.float32], names: Sequence[str], models: Models
) -> dict[str, NDArray[np.float64]]:
    """Return the ways of scoring the names (n, names): by the head, and by the text tower."""
    alike = np.zeros((len(embeddings), len(names)))
    if models.encoder.speaks_text:
        alike = (embeddings @ models.encoder.embed_text([n.lower() for n in names]).T).astype(float)
    ways = {"text tower alone": alike} if models.encoder.speaks_text else {}
    head = next((head for head in models.heads.heads if head.name == "category"), None)
    if head is None:
        return ways
    known = head.scores(embeddings)
    by_head = alike * 1e-6  # orders names of one kind, and changes nothing else
    for i, name in enumerate(names):
        kind = find_category(name)
        if kind in head.labels:
            by_head[:, i] += known[:, head.labels.index(kind)]
        else:
            by_head[:, i] -= 1
    return {"**category head**": by_head, **ways}


def _attribute_table(
    photos: LabelledPhotos, embeddings: NDArray[np.float32], models: Models
) -> Table:
    names = models.encoder.embed_text(photos.attribute_names)
    scores, truth = embeddings @ names.T, photos.attributes
    hits = [label_hits(scores, truth, k) for k in KS]
    kinds = np.array(photos.attribute_types)
    rows = []
    for kind, name in ((0, "all"), *TYPES.items()):
        of_kind = kinds == kind if kind else np.ones(len(kinds), np.bool_)
        whole = truth[:, of_kind].sum(axis=1)
        found = [pooled(each[:, of_kind].sum(axis=1), whole) for each in hits]
        if whole.any():
            rows.append(Row(f"text tower, {name}", tuple(found)))
    beside = [published(f"FashionNet, {name}", FASHION_NET[name]) for name in
              ("all", *TYPES.values())]  # fmt: skip
    title = f"Attributes of {len(truth)} test photos, {len(kinds)} names"
    return Table(title, tuple(f"recall@{k}" for k in KS), (*rows, *beside))


def _marks(path: Path, kept: set[str], n: int) -> dict[str, NDArray[np.bool_]]:
    """Read which attributes the photos kept have: 1, not -1 or 0."""
    marks = {}
    for words in tqdm(rows_of(path, n + 1), desc="attributes", unit="photo"):
        if words[0] in kept:
            marks[words[0]] = np.array([word == "1" for word in words[1:]], np.bool_)
    return marks


def _record(name: str, box: Sequence[str]) -> ItemRecord:
    try:
        x1, y1, x2, y2 = map(int, box)
    except ValueError as error:
        raise FeedError(f"{name} has the box {' '.join(box)}; expected four numbers") from error
    fits = x1 < x2 and y1 < y2
    return ItemRecord(name, name, (name,), xyxy=(x1, y1, x2, y2) if fits else None)
