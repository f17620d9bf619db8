"""Find files of a home that are missing, broken or left over."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.maintenance.check_result import CheckResult, ok, repaired, warning
from indexer.storage.tables import CatalogueRow, ItemPhotoRow, ItemRow, PhotoRow
from indexer.storage.thumbnails import thumbnail_path
from indexer.system.batching import batches

PAGE = 5_000  # rows at a time
SHOWN = 3  # examples shown
JPEG_ENDS = b"\xff\xd9"
OLD_S = 3600  # no process is still writing a file that old
REPAIR = "run `lapel doctor --repair`"


def check_pictures(catalogue: Catalogue) -> Iterator[CheckResult]:
    """Check that the items' pictures are still where they were indexed."""
    query = (
        select(ItemPhotoRow.address)
        .join(ItemRow, ItemRow.id == ItemPhotoRow.item_id)
        .where(ItemRow.catalogue_id == catalogue.id)
        .distinct()
    )
    files, gone = 0, []
    with Session(catalogue.engine) as session:
        for address in session.scalars(query).yield_per(PAGE):
            if "://" in address:
                continue  # whether it exists is found out when it is fetched
            files += 1
            if not Path(address).is_file():
                gone.append(address)
    if gone:
        some = ", ".join(gone[:SHOWN]) + (", ..." if len(gone) > SHOWN else "")
        yield warning(
            "pictures",
            f"{len(gone)} of {files} picture files are not there any more: {some}",
            "searches go on; put them back before `lapel reembed`, which drops what it cannot read",
        )
    else:
        yield ok("pictures", f"{files} picture files are where they were indexed")


def check_thumbnails(catalogue: Catalogue, repair: bool) -> Iterator[CheckResult]:
    """Find thumbnails that are missing or broken, and those of no photo.

    `repair` removes broken ones, which are made again when shown, and those of no photo.
    """
    home = catalogue.settings.home
    with Session(catalogue.engine) as session:
        own = select(PhotoRow.sha256).where(PhotoRow.catalogue_id == catalogue.id)
        paths = [thumbnail_path(home, sha256) for sha256 in session.scalars(own).yield_per(PAGE)]
        missing = [path for path in paths if not path.is_file()]
        broken = [path for path in paths if path.is_file() and not _is_whole(path)]
        thumbnails = sorted((home / "thumbnails").glob("??/*"))
        stray = [
            path for some in batches(thumbnails, PAGE) for path in _strays(session, home, some)
        ]
    for paths, problem in ((broken, "are broken"), (stray, "belong to no photo")):
        if paths and repair:
            for path in paths:
                path.unlink(missing_ok=True)
            yield repaired("thumbnails", f"{len(paths)} {problem}: removed")
        elif paths:
            yield warning("thumbnails", f"{len(paths)} {problem}", REPAIR)
    if not broken and not stray:
        later = f", {len(missing)} more are made when shown" if missing else ""
        yield ok("thumbnails", f"{len(thumbnails)} are whole{later}")


def check_strays(catalogue: Catalogue, repair: bool) -> Iterator[CheckResult]:
    """Find vector files of catalogues that do not exist, and half-written files."""
    folder = catalogue.settings.home / "vectors"
    with Session(catalogue.engine) as session:
        uids = set(session.scalars(select(CatalogueRow.uid)))
    left = [
        path
        for path in sorted(folder.glob("*"))
        if path.suffix == ".new" or path.stem.rpartition("-")[2] not in uids
    ]
    left += catalogue.settings.home.glob(".restore-*")  # of a `lapel restore` that was killed
    old = [path for path in left if _age_s(path) > OLD_S]
    if old and repair:
        for path in old:
            _remove(path)
        yield repaired("left over", f"{len(old)} files that no catalogue has: removed")
    elif old:
        yield warning("left over", f"{len(old)} files belong to no catalogue", REPAIR)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _strays(session: Session, home: Path, paths: list[Path]) -> Iterator[Path]:
    """Yield the thumbnails of photos that no catalogue stores, and half-written ones."""
    hashes = [path.stem for path in paths]
    known = set(session.scalars(select(PhotoRow.sha256).where(PhotoRow.sha256.in_(hashes))))
    for path in paths:
        if path != thumbnail_path(home, path.stem):
            if _age_s(path) > OLD_S:
                yield path
        elif (
            path.stem not in known and _age_s(path) > OLD_S
        ):  # else an import may be about to store its photo
            yield path


def _is_whole(path: Path) -> bool:
    try:
        return path.read_bytes().endswith(JPEG_ENDS)
    except OSError:
        return False


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
