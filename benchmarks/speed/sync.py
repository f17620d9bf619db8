"""Measure what syncing a large feed costs: CPU seconds, peak memory.

The catalogue holds the same items already, but for a few: the nightly sync of a large shop.
`python -m benchmarks.speed.sync --rows 1000000`
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import insert
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.feeds import read_feed
from indexer.feeds.reading.record import ItemRecord
from indexer.fused_vector import to_bytes
from indexer.garments import Garments
from indexer.images.image_sources import ImageSources
from indexer.images.photo import Photo, hash_bytes
from indexer.ingest.importer import Importer
from indexer.ingest.sync import Sync
from indexer.models.attribute_heads import AttributeHeads
from indexer.models.loading import Models
from indexer.settings import Settings
from indexer.storage.item_rows import COLUMNS
from indexer.storage.tables import GarmentRow, ItemPhotoRow, ItemRow, PhotoRow
from indexer.system.batching import batches

PICTURES = 1_000  # shared by the items, as variants do
NEW, CHANGED, REMOVED = 10, 100, 50
HEADER = (
    "id\titem_group_id\ttitle\tdescription\tlink\timage_link\tprice\tavailability\tcolor\tbrand"
)


class Idle:
    """A Detector and an Encoder that are never asked: no picture of the feed is new."""

    fingerprint = "idle"
    confidence = 0.25
    dim = 16
    speaks_text = False
    fill = (0, 0, 0)

    def detect(self, photos: Sequence[Photo]) -> list[Garments]:
        """Find nothing."""
        raise NotImplementedError

    def embed(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embed nothing."""
        raise NotImplementedError

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed nothing."""
        raise NotImplementedError


MODELS = Models(Idle(), Idle(), AttributeHeads([]))


def write_feed(path: Path, rows: int, first: int = 0, price: str = "29.90 EUR") -> None:
    """Write a Google Merchant feed of generated items."""
    with path.open("w", encoding="utf-8") as file:
        file.write(f"{HEADER}\n")
        for i in range(first, first + rows):
            said = price if i < first + CHANGED else "29.90 EUR"
            file.write(
                f"sku-{i:08}\tgroup-{i // 5}\tCotton T-Shirt {i}\tA shirt of number {i}, soft and "
                f"light, for every day.\thttps://shop.example/{i}\t{i % PICTURES}.png\t{said}\t"
                "in stock\tblue\tAcme\n"
            )


def fill(home: Path, feed: Path) -> None:
    """Store a feed's items without describing their pictures."""
    catalogue = Catalogue.open(Settings(home=home), create=True)
    paths = [feed.parent / f"{i}.png" for i in range(PICTURES)]
    for i, path in enumerate(paths):
        Image.fromarray(np.full((40, 40, 3), (i % 256, i // 256, 0), np.uint8)).save(path)
    catalogue.bind(MODELS.fingerprint, MODELS.layout)
    with Session(catalogue.engine) as session:
        photo_ids = [_store_photo(session, catalogue.id, path) for path in paths]
        records = (each for each in read_feed(feed) if isinstance(each, ItemRecord))
        number = 0
        for some in batches(records, 10_000):
            session.execute(insert(ItemRow), [_item(catalogue.id, each) for each in some])
            session.execute(
                insert(ItemPhotoRow),
                [
                    {
                        "item_id": number + i + 1,
                        "photo_id": photo_ids[(number + i) % PICTURES],
                        "position": 0,
                        "address": str(paths[(number + i) % PICTURES]),
                    }
                    for i in range(len(some))
                ],
            )
            number += len(some)
        session.commit()


def _store_photo(session: Session, catalogue_id: int, path: Path) -> int:
    photo = PhotoRow(
        catalogue_id=catalogue_id, sha256=hash_bytes(path.read_bytes()), height=40, width=40
    )
    session.add(photo)
    session.flush()
    session.add(
        GarmentRow(
            catalogue_id=catalogue_id, photo_id=photo.id, wanted="top", slot="top",
            category="t-shirt", confidence=1.0, is_fallback=False, box=[0, 0, 1, 1], palette=[],
            attributes={}, fingerprint=MODELS.fingerprint,
            vector=to_bytes(np.zeros(MODELS.layout.dim, np.float32)),
        )
    )  # fmt: skip
    return photo.id


def _item(catalogue_id: int, record: ItemRecord) -> dict[str, object]:
    return {name: getattr(record, name) for name in ("item_id", *COLUMNS)} | {
        "catalogue_id": catalogue_id,
        "fields": dict(record.fields),
        "content_hash": record.content_hash(),
    }


def measure(home: Path, feed: Path) -> Iterator[str]:
    """Yield lines: the plan, its seconds and the peak memory; then those of its execution."""
    settings = Settings(home=home)
    catalogue = Catalogue.open(settings)
    folder = feed.parent
    with (
        ImageSources(settings, folder) as pictures,
        Sync(catalogue, pictures, read_feed(feed), "mirror") as work,
    ):
        start = time.process_time()
        plan = work.plan()
        shown = {name: value for name, value in plan.shown().items() if name != "examples"}
        yield f"plan: {time.process_time() - start:.0f} s of CPU, peak {_peak_mb()} MB: {shown}"
        importer = Importer(catalogue, Describer(MODELS), folder, pictures=pictures)
        start = time.process_time()
        done = work.apply(plan, importer)
        yield f"done: {time.process_time() - start:.0f} s of CPU, peak {_peak_mb()} MB: {done}"


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """Fill in another process, so that its memory is not counted; then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        home, feed = Path(folder) / "home", Path(folder) / "feed.tsv"
        write_feed(feed, rows)
        filling = multiprocessing.get_context("spawn").Process(target=fill, args=(home, feed))
        filling.start()
        filling.join()
        write_feed(feed, rows - REMOVED + NEW, first=REMOVED, price="19.90 EUR")
        for line in measure(home, feed):
            print(line, flush=True)


if __name__ == "__main__":
    main()
