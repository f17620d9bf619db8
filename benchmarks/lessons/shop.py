"""Prepare the sample shop for the lessons: its feed, an indexed home, and labels to learn from."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from benchmarks.quality.catalogue import fill_shop
from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.feeds import read_feed
from indexer.feeds.reading.record import ItemRecord
from indexer.finetuning.head_training import LabelledEmbeddings, number_labels
from indexer.fused_vector import from_bytes
from indexer.sample import VIEWS, SampleItem
from indexer.storage.tables import GarmentRow, ItemGarmentRow, ItemPhotoRow, ItemRow
from search.searcher import Searcher
from training.sample_shop import sample_items, write_shop

HELD_OUT = 5  # one group in five, as `lapel train attributes` keeps


@dataclass(frozen=True)
class DrawnShop:
    """The sample shop in a folder; `indexed` is its catalogue."""

    folder: Path
    items: tuple[SampleItem, ...]
    indexed: tuple[Catalogue, Searcher]

    @classmethod
    def make(cls, folder: Path, describer: Describer) -> "DrawnShop":
        """Draw the shop, and index it as `lapel index` would."""
        items, images = tuple(sample_items()), folder / "shop"
        feed = write_shop(images, items)
        records = [record for record in read_feed(feed) if isinstance(record, ItemRecord)]
        indexed = fill_shop(folder / "home", records, describer, images)
        return cls(images, items, indexed)

    @cached_property
    def labelled(self) -> LabelledEmbeddings:
        """Each photo's garment, items in order and worn before flat, with what the shop says."""
        rows = [item for item in self.items for _ in VIEWS]
        words: dict[str, list[tuple[str, ...]]] = {
            "category": [(item.category,) for item in rows],
            "pattern": [(item.pattern,) for item in rows],
            "details": [(item.pattern, item.material, item.gender) for item in rows],
        }
        targets = tuple(
            number_labels(
                name,
                values,
                "softmax" if name != "details" else "sigmoid",
                sorted({word for said in values for word in said}),
            )
            for name, values in words.items()
        )
        numbers: dict[str, int] = {}
        groups = np.array([numbers.setdefault(item.group_id, len(numbers)) for item in rows])
        held_out = np.random.default_rng(0).permutation(len(numbers))[groups] % HELD_OUT == 0
        return LabelledEmbeddings(self._embeddings(), targets, held_out, groups)

    @property
    def is_flat(self) -> NDArray[np.bool_]:
        """Tell of each labelled photo whether the garment lies flat in it."""
        return np.tile([view == "flat" for view in VIEWS], len(self.items))

    def _embeddings(self) -> NDArray[np.float32]:
        """Return what the catalogue keeps of each photo's looks, (n, d), as `labelled` has them."""
        catalogue, _ = self.indexed
        query = (
            select(ItemRow.item_id, ItemPhotoRow.position, GarmentRow.vector)
            .join(ItemGarmentRow, ItemGarmentRow.item_id == ItemRow.id)
            .join(GarmentRow, GarmentRow.id == ItemGarmentRow.garment_id)
            .join(
                ItemPhotoRow,
                (ItemPhotoRow.item_id == ItemRow.id)
                & (ItemPhotoRow.photo_id == GarmentRow.photo_id),
            )
        )
        with Session(catalogue.engine) as session:
            kept = {(row[0], row[1]): row[2] for row in session.execute(query)}
        stored = [kept[item.item_id, i] for item in self.items for i in range(len(VIEWS))]
        layout = catalogue.layout
        vectors = from_bytes(stored, layout.dim)[:, layout.slices()["visual"]]
        return np.ascontiguousarray(vectors, np.float32)
