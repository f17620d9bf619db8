"""Choose queries that need no labels: one photo of a product is hidden, its other photos are right.

A query's vector is the stored one, or described anew from the photo: from its box, from all of it,
or from the photo degraded to a phone's snapshot.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.errors import EvaluationImpossible, PhotoError
from indexer.garments import WORN_SLOTS, Garments, Slot
from indexer.images.image_sources import ImageSources
from indexer.images.photo import Photo, read_photo
from indexer.storage.tables import GarmentRow, ItemPhotoRow, PhotoRow
from indexer.system.batching import SQL_VALUES, batches
from search.evaluation.gallery import Gallery
from search.evaluation.street_noise import degrade
from search.loaded_query import SURE_OF_SLOT

Cut = Literal["mask", "box", "photo"]
CUTS: tuple[Cut, ...] = ("mask", "box", "photo")
# Of fewer products the interval of recall_at_1 is wider than from 0.3 to 0.9: it says nothing.
FEWEST_PRODUCTS = 10


@dataclass(frozen=True, slots=True)
class Query:
    """A garment (its row) of a product, whose photo is hidden while it is searched for."""

    row: int
    product: int
    slots: tuple[int, ...]
    """The slots to search: places in WORN_SLOTS, -1 unknown; empty means all."""


def choose_queries(
    gallery: Gallery, count: int, seed: int, each_photo: bool = False
) -> list[Query]:
    """Return at most so many queries, one a product, or one for each photo of each product.

    Raises EvaluationImpossible when too few products show a garment in several photos.
    """
    random = Random(seed)  # noqa: S311 - a sample, no secret
    asked = (_queries_of(gallery, product) for product in range(len(gallery.products)))
    of_product = [queries for queries in asked if queries]
    if len(of_product) < FEWEST_PRODUCTS:
        raise EvaluationImpossible(
            f"{len(of_product)} of {len(gallery.products)} products show one garment in several "
            f"photos; at least {FEWEST_PRODUCTS} are needed: what a search finds is judged by "
            "hiding one of a product's photos, so index a feed with more photos of each product"
        )
    if each_photo:
        chosen = [query for queries in of_product for query in queries]
    else:
        chosen = [random.choice(queries) for queries in of_product]
    if len(chosen) > count:
        chosen = random.sample(chosen, count)
    return sorted(chosen, key=lambda query: (query.product, query.row))


def _queries_of(gallery: Gallery, product: int) -> list[Query]:
    """Return a query for each photo of a product: its surest garment that another photo shows."""
    rows = gallery.rows_of(product)
    best: dict[int, Query] = {}
    for row in sorted(rows.tolist(), key=lambda row: -gallery.confidence[row]):
        slots = slots_looked_in(gallery.slot_name(row), float(gallery.confidence[row]))
        others = rows[gallery.photo[rows] != gallery.photo[row]]
        if len(others) and (not slots or np.isin(gallery.slot[others], slots).any()):
            best.setdefault(int(gallery.photo[row]), Query(row, product, slots))
    return [best[photo] for photo in sorted(best)]


def slots_looked_in(slot: Slot, confidence: float) -> tuple[int, ...]:
    """Return the slots that `search_garment` would search for such a garment."""
    if slot == "unknown":
        return ()
    meant: tuple[Slot, ...] = (slot,)
    if slot in ("top", "outer") and confidence < SURE_OF_SLOT:
        meant = ("top", "outer")
    return (*(WORN_SLOTS.index(each) for each in meant), -1)


def stored_vectors(gallery: Gallery, queries: Sequence[Query]) -> NDArray[np.float32]:
    """Return the vectors (q, dim) by which the garments of the queries are stored."""
    return np.asarray(gallery.vectors[[query.row for query in queries]], np.float32)


class _KnownGarments:
    """A Detector that returns one known garment for each photo."""

    fingerprint = "shown"
    confidence = 0.5

    def __init__(self) -> None:
        self.garments: dict[int, Garments] = {}  # by the photo's identity

    def detect(self, photos: Sequence[Photo]) -> list[Garments]:
        return [self.garments[id(photo)] for photo in photos]


class QueryPhotos:
    """Describes the photos of queries anew: cut in another way, or degraded."""

    def __init__(self, catalogue: Catalogue, gallery: Gallery, describer: Describer) -> None:
        self._catalogue = catalogue
        self._gallery = gallery
        self._describer = describer
        self._shown = _KnownGarments()
        self._cutting = Describer(replace(describer.models, detector=self._shown))

    def vectors(
        self,
        queries: Sequence[Query],
        cut: Cut,
        street: bool,
        seed: int,
        tick: Callable[[int], None] = lambda count: None,
    ) -> tuple[NDArray[np.float32], list[int], list[str]]:
        """Return vectors (m, dim), the places of their queries, and why other photos failed."""
        places = self._places(queries)
        made, kept, wrong = [], [], []
        with ImageSources(self._catalogue.settings, self._catalogue.settings.home) as pictures:
            for i, query in enumerate(queries):
                address, sha256, box = places[query.row]
                tick(1)
                try:
                    photo = read_photo(pictures.read(address, sha256), address)
                except PhotoError as error:
                    wrong.append(str(error))
                    continue
                if street:
                    worse = degrade(photo.pixels, Random(f"{seed}-{sha256}"))  # noqa: S311
                    photo = Photo(worse.pixels, sha256)
                    box = worse.moved(box)
                made.append(self._describe(photo, self._gallery.slot_name(query.row), cut, box))
                kept.append(i)
        vectors = np.stack(made) if made else np.zeros((0, self._gallery.layout.dim), np.float32)
        return vectors, kept, wrong

    def _describe(
        self, photo: Photo, slot: Slot, cut: Cut, box: Sequence[float]
    ) -> NDArray[np.float32]:
        if cut == "mask":
            return self._describer.describe([photo], [slot])[0][0].vector
        height, width = photo.image_hw
        x1, y1, x2, y2 = (0.0, 0.0, 1.0, 1.0) if cut == "photo" else box
        x1, x2 = min(round(x1 * width), width - 1), max(round(x2 * width), 1)
        y1, y2 = min(round(y1 * height), height - 1), max(round(y2 * height), 1)
        xyxy = [x1, y1, max(x2, x1 + 1), max(y2, y1 + 1)]
        whole = np.ones((xyxy[3] - y1, xyxy[2] - x1), np.bool_)
        self._shown.garments = {
            id(photo): Garments(
                photo.image_hw, np.array([xyxy], np.int32), (slot,), (slot,),
                np.ones(1, np.float32), (whole,),
            )
        }  # fmt: skip
        return self._cutting.describe([photo])[0][0].vector

    def _places(self, queries: Sequence[Query]) -> dict[int, tuple[str, str, list[float]]]:
        """Return the address, the hash and the garment's box of each query's photo, by row."""
        row_of = {int(self._gallery.garment_ids[query.row]): query.row for query in queries}
        places: dict[int, tuple[str, str, list[float]]] = {}
        with Session(self._catalogue.engine) as session:
            for some in batches(row_of, SQL_VALUES):
                rows = session.execute(
                    select(GarmentRow.id, ItemPhotoRow.address, PhotoRow.sha256, GarmentRow.box)
                    .join(PhotoRow, PhotoRow.id == GarmentRow.photo_id)
                    .join(ItemPhotoRow, ItemPhotoRow.photo_id == PhotoRow.id)
                    .where(GarmentRow.id.in_(some))
                )
                for garment, address, sha256, box in rows:
                    places[row_of[garment]] = (address, sha256, box)
        return places
