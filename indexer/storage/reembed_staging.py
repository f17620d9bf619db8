"""Stage a re-embedding in SQL beside the live catalogue, and switch to it.

The new garments are rows of a shadow catalogue, named `~` and the visible one's uid, that has
photos but no items: no search and no import sees them. The switch gives them to the visible
catalogue.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, exists, func, insert, literal_column, select, update
from sqlalchemy.orm import Session, aliased

from indexer.fused_vector import Layout
from indexer.storage.tables import (
    CatalogueRow,
    GarmentRow,
    ItemGarmentRow,
    ItemPhotoRow,
    ItemRow,
    PhotoRow,
)
from indexer.system.batching import batches

PAGE = 500  # photos looked up at a time


@dataclass(frozen=True, slots=True)
class PhotoToDescribe:
    """A stored picture and the garment wanted in it, with each (item id, address) that shows it.

    `wanted` is as in `garment.wanted`; `place` as in `item_photo.place`.
    """

    sha256: str
    wanted: str
    shown: tuple[tuple[str, str], ...]
    place: Mapping[str, Any] | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Return the identity of the description, as `PhotoTask.key`."""
        return self.sha256, self.wanted


@dataclass(frozen=True, slots=True)
class Switched:
    """The outcome of a switch: garments taken over, photos and items dropped without any."""

    garments: int
    dropped_photos: int
    dropped_items: int


def find_shadow(session: Session, catalogue_id: int) -> CatalogueRow | None:
    """Return the shadow catalogue's row, if one was begun."""
    name = _hidden_name(session, catalogue_id)
    return session.scalar(select(CatalogueRow).where(CatalogueRow.name == name))


def add_shadow(
    session: Session,
    catalogue_id: int,
    fingerprint: str,
    layout: Layout,
    models: Mapping[str, str] | None = None,
) -> CatalogueRow:
    """Insert an empty shadow catalogue for these models; `models` are the settings naming them."""
    row = CatalogueRow(
        name=_hidden_name(session, catalogue_id),
        fingerprint=fingerprint,
        layout={part: getattr(layout, part) for part in layout.__slots__},
        models=dict(models) if models is not None else None,
    )
    session.add(row)
    session.flush()
    return row


def drop_shadow(session: Session, shadow_id: int) -> None:
    """Delete a shadow catalogue with all its garments."""
    session.execute(delete(CatalogueRow).where(CatalogueRow.id == shadow_id))


def count_needed(session: Session, catalogue_id: int) -> int:
    """Return how many photos must be described: a photo once for each slot wanted in it."""
    return _count(session, _needed(catalogue_id))


def count_missing(session: Session, catalogue_id: int, shadow_id: int) -> int:
    """Return how many of the needed photos the shadow lacks."""
    return _count(session, _missing(catalogue_id, shadow_id))


def missing_photos(
    session: Session, catalogue_id: int, shadow_id: int
) -> Iterator[list[PhotoToDescribe]]:
    """Yield the needed photos that the shadow lacks, in pages, each once."""
    after = 0
    while True:
        ids = session.scalars(
            select(PhotoRow.id)
            .where(PhotoRow.catalogue_id == catalogue_id, PhotoRow.id > after)
            .order_by(PhotoRow.id)
            .limit(PAGE)
        ).all()
        if not ids:
            return
        after = ids[-1]
        query = _missing(catalogue_id, shadow_id).where(PhotoRow.id.in_(ids))
        rows = session.execute(query.order_by("photo_id", "wanted")).all()
        shown = _shown_by(session, catalogue_id, [row.photo_id for row in rows])
        session.rollback()  # no transaction is held open while photos are described
        if rows:
            yield [
                PhotoToDescribe(row.sha256, row.wanted, *shown[row.photo_id, row.wanted])
                for row in rows
            ]


def switch_to_shadow(session: Session, catalogue_id: int, shadow_id: int) -> Switched:
    """Give the garments of the shadow to the visible catalogue, in the caller's transaction.

    Then its garments, fingerprint, layout and uid are those of the shadow, which is gone.
    """
    shadow = session.get_one(CatalogueRow, shadow_id)
    uid, fingerprint, layout = shadow.uid, shadow.fingerprint, shadow.layout
    models = shadow.models
    session.execute(delete(GarmentRow).where(GarmentRow.catalogue_id == catalogue_id))
    _move_garments(session, catalogue_id, shadow_id)
    garments = _link_garments(session, catalogue_id)
    photos, items = _drop_without_garments(session, catalogue_id)
    drop_shadow(session, shadow_id)
    session.execute(
        update(CatalogueRow)
        .where(CatalogueRow.id == catalogue_id)
        .values(
            uid=uid,
            fingerprint=fingerprint,
            layout=layout,
            models=models,
            revision=CatalogueRow.revision + 1,
            log_from=CatalogueRow.revision
            + 1,  # a switch cannot be followed by the log: ids are compared
        )
    )
    return Switched(garments, photos, items)


def _hidden_name(session: Session, catalogue_id: int) -> str:
    return f"~{session.get_one(CatalogueRow, catalogue_id).uid}"


def _needed(
    catalogue_id: int,
) -> Any:  # a Select, whose type differs between SQLAlchemy 2.0 and 2.1
    return (
        select(PhotoRow.id.label("photo_id"), PhotoRow.sha256, ItemPhotoRow.wanted)
        .join(ItemPhotoRow, ItemPhotoRow.photo_id == PhotoRow.id)
        .join(ItemRow, ItemRow.id == ItemPhotoRow.item_id)
        .where(ItemRow.catalogue_id == catalogue_id)
        .distinct()
    )


def _missing(catalogue_id: int, shadow_id: int) -> Any:
    photo, garment = aliased(PhotoRow), aliased(GarmentRow)
    is_in_shadow = exists(
        select(literal_column("1"))
        .select_from(photo)
        .join(garment, garment.photo_id == photo.id)
        .where(
            photo.catalogue_id == shadow_id,
            photo.sha256 == PhotoRow.sha256,
            garment.wanted == ItemPhotoRow.wanted,
        )
        .correlate(PhotoRow, ItemPhotoRow)
    )
    return _needed(catalogue_id).where(~is_in_shadow)


def _count(session: Session, query: Any) -> int:
    return session.scalar(select(func.count()).select_from(query.subquery())) or 0


_Shown = tuple[tuple[tuple[str, str], ...], Mapping[str, Any] | None]


def _shown_by(
    session: Session, catalogue_id: int, photo_ids: list[int]
) -> dict[tuple[int, str], _Shown]:
    """Return the items that show these photos, and the region, by photo and wanted garment."""
    shown: dict[tuple[int, str], _Shown] = {}
    rows = session.execute(
        select(ItemPhotoRow, ItemRow.item_id)
        .join(ItemRow, ItemRow.id == ItemPhotoRow.item_id)
        .where(ItemRow.catalogue_id == catalogue_id, ItemPhotoRow.photo_id.in_(photo_ids))
        .order_by(ItemRow.id)
    )
    for each, item_id in rows:
        key = each.photo_id, each.wanted
        before, place = shown.get(key, ((), each.place))
        shown[key] = (*before, (item_id, each.address)), place
    return shown


def _move_garments(session: Session, catalogue_id: int, shadow_id: int) -> None:
    """Attach the shadow garments to the visible catalogue's photos of the same content."""
    visible, hidden = aliased(PhotoRow), aliased(PhotoRow)
    same_photo = (
        select(visible.id)
        .join(hidden, hidden.sha256 == visible.sha256)
        .where(visible.catalogue_id == catalogue_id, hidden.id == GarmentRow.photo_id)
        .scalar_subquery()
    )
    session.execute(
        update(GarmentRow)
        .where(GarmentRow.catalogue_id == shadow_id, same_photo.is_not(None))
        .values(catalogue_id=catalogue_id, photo_id=same_photo)
        .execution_options(synchronize_session=False)
    )


def _link_garments(session: Session, catalogue_id: int) -> int:
    """Link each item to its own garments in its photos, delete others; returns how many stay."""
    links = (
        select(ItemRow.id, GarmentRow.id)
        .join(ItemPhotoRow, ItemPhotoRow.item_id == ItemRow.id)
        .join(GarmentRow, GarmentRow.photo_id == ItemPhotoRow.photo_id)
        .where(ItemRow.catalogue_id == catalogue_id, GarmentRow.wanted == ItemPhotoRow.wanted)
    )
    session.execute(insert(ItemGarmentRow).from_select(["item_id", "garment_id"], links))
    is_linked = exists().where(ItemGarmentRow.garment_id == GarmentRow.id)
    of_catalogue = GarmentRow.catalogue_id == catalogue_id
    session.execute(  # of photos that were deleted, or whose slot was changed, meanwhile
        delete(GarmentRow)
        .where(of_catalogue, ~is_linked)
        .execution_options(synchronize_session=False)
    )
    return session.scalar(select(func.count()).select_from(GarmentRow).where(of_catalogue)) or 0


def _drop_without_garments(session: Session, catalogue_id: int) -> tuple[int, int]:
    """Delete photos that were not described, and items left without any; as an import would."""
    has_garment = exists(
        select(literal_column("1"))
        .select_from(ItemGarmentRow)
        .join(GarmentRow, GarmentRow.id == ItemGarmentRow.garment_id)
        .where(
            ItemGarmentRow.item_id == ItemPhotoRow.item_id,
            GarmentRow.photo_id == ItemPhotoRow.photo_id,
        )
        .correlate(ItemPhotoRow)
    )
    own_items = select(ItemRow.id).where(ItemRow.catalogue_id == catalogue_id)
    session.execute(
        delete(ItemPhotoRow)
        .where(ItemPhotoRow.item_id.in_(own_items), ~has_garment)
        .execution_options(synchronize_session=False)
    )
    is_shown = exists().where(ItemPhotoRow.photo_id == PhotoRow.id)
    has_photo = exists().where(ItemPhotoRow.item_id == ItemRow.id)
    photos = _delete_all(session, PhotoRow.id, PhotoRow.catalogue_id == catalogue_id, ~is_shown)
    items = _delete_all(session, ItemRow.id, ItemRow.catalogue_id == catalogue_id, ~has_photo)
    return photos, items


def _delete_all(session: Session, key: Any, *where: Any) -> int:
    ids = session.scalars(select(key).where(*where)).all()
    for some in batches(ids, PAGE):
        session.execute(
            delete(key.class_).where(key.in_(some)).execution_options(synchronize_session=False)
        )
    return len(ids)
