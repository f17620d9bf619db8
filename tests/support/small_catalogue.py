"""A small catalogue and models without weights, for tests that make it anew by others."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import DescribedGarment, Describer
from indexer.description.garment_target import Target
from indexer.feeds.reading.record import ItemRecord
from indexer.fused_vector import unit_rows
from indexer.garments import Slot
from indexer.images.photo import Photo
from indexer.ingest.importer import Importer
from indexer.models.attribute_heads import AttributeHeads
from indexer.models.loading import Models
from indexer.sample import SampleItem, unpack_shop
from indexer.settings import Settings
from indexer.storage.revision_log import stored_ids
from indexer.storage.tables import CatalogueRow, GarmentRow, ItemGarmentRow, ItemRow, PhotoRow
from tests.support.fake_models import SeesNothing
from tests.support.sample_shop import SHOP_ITEMS

ITEMS = SHOP_ITEMS[:20]
LATE = SHOP_ITEMS[20]  # drawn, and not in the feed at first


class Dots:
    """An Encoder without a network: dots of a crop's mean colours with fixed random rows."""

    speaks_text = False
    fill = (0, 0, 0)

    def __init__(self, seed: int, dim: int = 16) -> None:
        self.dim = dim
        self.fingerprint = f"dots-{seed}-{dim}"
        self._rows = np.random.default_rng(seed).normal(size=(12, dim)).astype(np.float32)

    def embed(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        means = [[q.mean((0, 1)) for h in np.array_split(c, 2) for q in np.array_split(h, 2, 1)]
                 for c in crops]  # fmt: skip
        return unit_rows(np.reshape(np.array(means, np.float32), (len(crops), 12)) @ self._rows)

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise NotImplementedError


def dots(seed: int, dim: int = 16) -> Describer:
    return Describer(Models(SeesNothing(), Dots(seed, dim), AttributeHeads([])))


@dataclass(slots=True)
class Watched(Describer):
    """A Describer that calls back before each batch, and counts photos."""

    before: Callable[[int], None] = lambda count: None
    count: int = 0

    def describe(
        self, photos: Sequence[Photo], wanted: Sequence[Target] | None = None
    ) -> list[list[DescribedGarment]]:
        self.before(self.count)
        self.count += len(photos)
        return Describer.describe(self, photos, wanted)


def watched(seed: int, before: Callable[[int], None] = lambda count: None) -> Watched:
    return Watched(dots(seed).models, before=before)


class Stop(BaseException):
    """As Ctrl-C: no `except Exception` may swallow it."""


def draw_small(folder: Path) -> Path:
    """Draw the pictures of `ITEMS`, and of one more that no feed names at first."""
    unpack_shop(folder, SHOP_ITEMS[: len(ITEMS) + 1])
    return folder


def record_of(item: SampleItem, price: float | None = None) -> ItemRecord:
    """Return an item's record, with both its pictures."""
    photos = tuple(f"images/{item.item_id}_{view}.jpg" for view in ("worn", "flat"))
    return ItemRecord(item.item_id, item.group_id, photos, slot=item.slot, price=price)


def make_small(drawn: Path, tmp_path: Path) -> Catalogue:
    """40 photos of 20 items, one of them both a top's and a bottom's, made by `dots(1)`."""
    folder = Path(shutil.copytree(drawn, tmp_path / "shop"))
    catalogue = Catalogue.open(Settings(home=tmp_path / "small"), create=True)
    look = record_of(ITEMS[0]).photos[:1]
    other: Slot = "bottom" if ITEMS[0].slot != "bottom" else "top"
    records = [*map(record_of, ITEMS), ItemRecord("look", "look", look, slot=other)]
    Importer(catalogue, dots(1), folder, folder).run(records)
    return catalogue


def described_as(catalogue: Catalogue) -> dict[tuple[str, str, str, str], bytes]:
    """All that a search can find, without ids: item, photo, slot -> vector."""
    with Session(catalogue.engine) as session:
        rows = session.execute(
            select(
                ItemRow.item_id,
                PhotoRow.sha256,
                GarmentRow.wanted,
                GarmentRow.fingerprint,
                GarmentRow.vector,
            )
            .join(ItemGarmentRow, ItemGarmentRow.item_id == ItemRow.id)
            .join(GarmentRow, GarmentRow.id == ItemGarmentRow.garment_id)
            .join(PhotoRow, PhotoRow.id == GarmentRow.photo_id)
            .where(ItemRow.catalogue_id == catalogue.id)
        ).all()
    return {(i, s, w, f): v for i, s, w, f, v in rows}


def fresh(catalogue: Catalogue) -> Catalogue:
    return Catalogue.open(catalogue.settings)


def equal_to_sql(catalogue: Catalogue) -> bool:
    """Compare without letting the index catch up by comparing."""
    with Session(catalogue.engine) as session:
        stored = stored_ids(session, catalogue.id)
        return np.array_equal(stored, np.sort(catalogue.vectors.ids()))


def table_sizes(catalogue: Catalogue) -> list[int]:
    with Session(catalogue.engine) as session:
        return [
            session.scalar(select(func.count()).select_from(table)) or 0
            for table in (CatalogueRow, ItemRow, PhotoRow, GarmentRow)
        ]


def vector_files(catalogue: Catalogue) -> list[str]:
    return sorted(path.name for path in (catalogue.settings.home / "vectors").iterdir())


def assert_made_by(catalogue: Catalogue, describer: Describer, photos: int = 41) -> None:
    opened = fresh(catalogue)
    made = described_as(opened)
    assert len(made) == photos
    assert {fingerprint for *_, fingerprint in made} == {describer.models.fingerprint}
    assert opened.row().fingerprint == describer.models.fingerprint
    assert opened.layout == describer.layout
    assert opened.stats()["garments"] == len(opened.vectors)
    opened.check_models(describer.models.fingerprint)
