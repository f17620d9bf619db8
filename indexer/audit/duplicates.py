"""Find pictures that a catalogue shows more than once, and the items that show them.

Exact: the same file. Near: the same picture saved anew, resized, or slightly lighter. Two colours
of one cut are neither, and the variants of one group may share a picture. `near_duplicates.py`
compares the pictures.
"""

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from indexer.audit.image_hash import HASH_AND_GRID_BYTES, ImageHashes, image_hash
from indexer.audit.near_duplicates import NEAR_BITS, find_alike
from indexer.catalogue.catalogue import Catalogue
from indexer.errors import PhotoError
from indexer.images.image_sources import ImageSources
from indexer.images.photo import read_photo
from indexer.storage.tables import ItemPhotoRow, ItemRow, PhotoRow
from indexer.storage.thumbnails import thumbnail_path
from indexer.system.batching import SQL_VALUES, batches
from indexer.vocabulary.colour_terms import basic_name


@dataclass(frozen=True, slots=True)
class Shown:
    """A photo as one item shows it; `position` 0 is the item's main photo."""

    row_id: int
    item_id: str
    group_id: str
    slot: str | None
    colour: str | None
    title: str
    sha256: str
    address: str
    position: int


@dataclass(frozen=True, slots=True)
class DuplicateSet:
    """One picture shown where another was to be expected, with each item that shows it."""

    kind: Literal["exact", "near"]
    shown: tuple[Shown, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of which it is a picture, first stored first."""
        return tuple(dict.fromkeys(each.group_id for each in self.shown))

    @property
    def colours(self) -> tuple[str, ...]:
        """The basic colours that the feed gives to its items."""
        named = (basic_name(each.colour) for each in self.shown if each.colour)
        return tuple(dict.fromkeys(name for name in named if name))


def find_duplicates(
    catalogue: Catalogue,
    near_bits: int | None = NEAR_BITS,
    progress: Callable[[int], None] = lambda photos: None,
) -> list[DuplicateSet]:
    """Return the duplicates, first stored first; with `near_bits` None only the exact ones.

    The first run hashes each thumbnail (3 ms each), later runs only new ones.
    """
    with Session(catalogue.engine) as session:
        exact = _shown_by_several(session, catalogue.id)
    groups = [[sha256] for sha256 in exact]
    if near_bits is not None:
        near = _alike(catalogue, near_bits, progress)
        alike = {sha256 for group in near for sha256 in group}
        groups = near + [[sha256] for sha256 in exact if sha256 not in alike]
    with Session(catalogue.engine) as session:
        shown = _shown(session, catalogue.id, [sha256 for group in groups for sha256 in group])
    sets = [
        DuplicateSet("exact" if len(group) == 1 else "near", tuple(each))
        for group in groups
        for each in _unexpected([s for sha256 in group for s in shown[sha256]], len(group) > 1)
    ]
    return sorted(sets, key=lambda each: each.shown[0].row_id)


def collapse(catalogue: Catalogue, sets: Iterable[DuplicateSet]) -> int:
    """Let a search give one hit for items whose main photos are duplicates; returns how many.

    Only items of one slot, and not of two colours. Earlier collapses are undone, unless found
    again.
    """
    with catalogue.writing(), Session(catalogue.engine) as session:
        _clear(session, catalogue.id)
        count = 0
        for each in sets:
            main = [shown for shown in each.shown if shown.position == 0]
            groups = dict.fromkeys(shown.group_id for shown in main)
            if len(groups) < 2 or len(each.colours) > 1:
                continue
            first = next(iter(groups))
            others = [shown.row_id for shown in main if shown.group_id != first]
            for some in batches(others, SQL_VALUES):
                session.execute(
                    update(ItemRow).where(ItemRow.id.in_(some)).values(duplicate_of=first)
                )
            count += len(others)
        session.commit()
    return count


def uncollapse(catalogue: Catalogue) -> int:
    """Undo `collapse`; returns how many items it had collapsed."""
    with catalogue.writing(), Session(catalogue.engine) as session:
        count = _clear(session, catalogue.id)
        session.commit()
    return count


def _clear(session: Session, catalogue_id: int) -> int:
    done = session.execute(
        update(ItemRow)
        .where(ItemRow.catalogue_id == catalogue_id, ItemRow.duplicate_of.is_not(None))
        .values(duplicate_of=None)
    )
    return int(getattr(done, "rowcount", 0))


def _shown_by_several(session: Session, catalogue_id: int) -> list[str]:
    """Return the hashes of photos that several groups, or several colours, show."""
    query = (
        select(PhotoRow.sha256)
        .join(ItemPhotoRow, ItemPhotoRow.photo_id == PhotoRow.id)
        .join(ItemRow, ItemRow.id == ItemPhotoRow.item_id)
        .where(PhotoRow.catalogue_id == catalogue_id)
        .group_by(PhotoRow.id, PhotoRow.sha256)
        .having(
            (func.count(ItemRow.group_id.distinct()) > 1)
            | (func.count(ItemRow.colour.distinct()) > 1)
        )
        .order_by(PhotoRow.id)
    )
    return list(session.scalars(query))


def _shown(session: Session, catalogue_id: int, hashes: Sequence[str]) -> dict[str, list[Shown]]:
    by_hash: dict[str, list[Shown]] = defaultdict(list)
    query = (
        select(
            ItemRow.id,
            ItemRow.item_id,
            ItemRow.group_id,
            ItemRow.slot,
            ItemRow.colour,
            ItemRow.title,
            PhotoRow.sha256,
            ItemPhotoRow.address,
            ItemPhotoRow.position,
        )
        .join(ItemPhotoRow, ItemPhotoRow.item_id == ItemRow.id)
        .join(PhotoRow, PhotoRow.id == ItemPhotoRow.photo_id)
        .where(PhotoRow.catalogue_id == catalogue_id)
        .order_by(ItemRow.id)
    )
    for some in batches(hashes, SQL_VALUES):
        for row in session.execute(query.where(PhotoRow.sha256.in_(some))):
            by_hash[row.sha256].append(Shown(*row))
    return by_hash


def _unexpected(shown: Sequence[Shown], are_several: bool) -> list[list[Shown]]:
    """Return, by slot, the items that share a picture and should not. A full outfit may well be the
    picture of a shirt and of a pair of trousers.
    """
    by_slot: dict[str | None, list[Shown]] = defaultdict(list)
    for each in sorted(shown, key=lambda each: each.row_id):
        by_slot[each.slot].append(each)
    return [
        each
        for each in by_slot.values()
        if len({s.group_id for s in each}) > 1
        or len({basic_name(s.colour) for s in each if s.colour} - {None}) > 1
        or (are_several and len({s.sha256 for s in each}) > 1)
    ]


def _alike(
    catalogue: Catalogue, near_bits: int, progress: Callable[[int], None]
) -> list[list[str]]:
    """Return groups of hashes of photos that look the same."""
    with Session(catalogue.engine) as session:
        count = session.scalar(select(func.count()).where(PhotoRow.catalogue_id == catalogue.id))
        query = select(PhotoRow.sha256, PhotoRow.id).where(PhotoRow.catalogue_id == catalogue.id)
        hashes = np.empty(count or 0, "S64")
        with tempfile.TemporaryFile() as file:  # the grids of a million pictures are 0.8 GB
            rows = 0
            with ImageSources(catalogue.settings, catalogue.settings.home) as pictures:
                ordered = query.order_by(PhotoRow.id).limit(len(hashes))
                for row in session.execute(ordered.execution_options(yield_per=1_000)):
                    look = _look(catalogue, pictures, session, row.sha256, row.id)
                    progress(1)
                    if look is not None:
                        file.write(look)
                        hashes[rows] = row.sha256
                        rows += 1
            if not rows:
                return []
            file.flush()
            looks = np.memmap(file, np.uint8, "r", shape=(rows, HASH_AND_GRID_BYTES))
            at = HASH_AND_GRID_BYTES - 768
            groups = find_alike(ImageHashes(np.array(looks[:, :at]), looks[:, at:]), near_bits)
    return [[hashes[i].decode() for i in group] for group in groups]


def _look(
    catalogue: Catalogue, pictures: ImageSources, session: Session, sha256: str, photo_id: int
) -> bytes | None:
    """Return a photo's image hash, cached or from its thumbnail or file; None if all are gone."""
    look = pictures.cache.look(sha256)
    if look is not None and len(look) == HASH_AND_GRID_BYTES:
        return look
    try:
        with Image.open(thumbnail_path(catalogue.settings.home, sha256)) as thumbnail:
            look = image_hash(thumbnail)
    except OSError:
        addresses = select(ItemPhotoRow.address).where(ItemPhotoRow.photo_id == photo_id).limit(1)
        try:
            content = pictures.read(session.scalars(addresses).one(), sha256)
            look = image_hash(Image.fromarray(read_photo(content).pixels))
        except PhotoError:
            return None
    pictures.cache.remember_look(sha256, look)
    return look
