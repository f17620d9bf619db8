"""The sample shop that tests index: its items, and an indexed copy kept between runs."""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.errors import LapelError
from indexer.feeds import read_feed
from indexer.ingest.importer import Importer, ImportReport
from indexer.models.loading import Models
from indexer.sample import SampleItem, sample_items, unpack_shop
from indexer.settings import Settings
from indexer.storage.tables import GarmentRow

# Two neighbours of every four: all slots (6 shoes, 4 bags, 4 hats), groups of variants, seconds to
# describe.
SHOP_ITEMS = tuple(item for i, item in enumerate(sample_items()) if i % 4 < 2)
ROOT = Path(__file__).parents[2]
UNUSED_S = 7 * 86400  # after which an indexed shop of former code is removed


@dataclass(frozen=True)
class Shop:
    """An indexed sample shop; tests that write make their own copy of `home`."""

    folder: Path
    feed: Path
    home: Path
    items: tuple[SampleItem, ...]
    report: ImportReport


def cached_shop(cache: Path, home: Path, models: Callable[[], Models]) -> Shop:
    """Copy the home of the indexed shop to `home`; index it only if the code has changed since.

    Indexing takes half a minute, and each worker of pytest-xdist needs the shop.
    """
    made = cache / "shops" / _made_of(cache)
    made.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{made}.lock"):
        report = _read_report(made)
        if report is None:
            shutil.rmtree(made, ignore_errors=True)
            report = _index(made, models())
            (made / "report.json").write_text(json.dumps(asdict(report)), "utf-8")  # last of all
        os.utime(made)
        shutil.copytree(made / "home", home)
        _remove_unused(made.parent)
    return Shop(made / "shop", made / "shop" / "feed.tsv", home, SHOP_ITEMS, report)


def _made_of(cache: Path) -> str:
    """Hash all that an indexed shop depends on: code, weights, libraries, settings, its place."""
    digest = hashlib.sha256(str(cache).encode())
    files = [path for folder in ("indexer", "migrations") for path in (ROOT / folder).rglob("*")]
    for path in sorted([*files, Path(__file__)]):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    for library in ("faiss-cpu", "numpy", "openvino", "pillow", "torch", "ultralytics"):
        digest.update(f"{library}={version(library)}".encode())
    digest.update(repr(sorted(kv for kv in os.environ.items() if "LAPEL" in kv[0])).encode())
    return digest.hexdigest()[:16]


def _read_report(made: Path) -> ImportReport | None:
    """Return the report of an indexed shop that is whole; of any other None."""
    try:
        report = ImportReport(**json.loads((made / "report.json").read_text("utf-8")))
        catalogue = Catalogue.open(Settings(home=made / "home"))
    except (OSError, ValueError, TypeError, LapelError, SQLAlchemyError):
        return None
    whole = is_consistent(catalogue) and len(list((made / "shop").rglob("*.jpg"))) >= report.added
    catalogue.engine.dispose()
    return report if whole else None


def _index(made: Path, models: Models) -> ImportReport:
    folder = made / "shop"
    feed = unpack_shop(folder, SHOP_ITEMS)
    catalogue = Catalogue.open(Settings(home=made / "home"), create=True)
    report = Importer(catalogue, Describer(models), folder, folder).run(read_feed(feed))
    catalogue.engine.dispose()
    return report


def _remove_unused(shops: Path) -> None:
    for folder in shops.iterdir():
        if folder.is_dir() and folder.stat().st_mtime < time.time() - UNUSED_S:
            shutil.rmtree(folder, ignore_errors=True)


def import_again(catalogue: Catalogue, describer: Describer, shop: Shop) -> ImportReport:
    return Importer(catalogue, describer, shop.folder, shop.folder).run(read_feed(shop.feed))


def is_consistent(catalogue: Catalogue) -> bool:
    """Tell whether the index holds a vector of each stored garment, and no other."""
    with Session(catalogue.engine) as session:
        stored = set(session.scalars(select(GarmentRow.id)))
    return stored == set(catalogue.vectors.ids().tolist())
