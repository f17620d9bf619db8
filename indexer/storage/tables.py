"""The SQL tables: the truth from which everything else can be rebuilt.

An item (what the shop sells) shows photos; a photo shows garments; an item is linked to the
garments that are its own. Size variants share a photo, so they share its garments too.
"""

import uuid
from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, DateTime, Float, ForeignKey, LargeBinary, MetaData, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import Index, UniqueConstraint

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def _now() -> datetime:
    return datetime.now(UTC)


def is_declared(name: str | None, kind: str, _parents: object = None) -> bool:
    """Tell whether an object of the database, of any `kind`, is declared here; for Alembic.

    The index of items' words (migration 0010) is not: it differs from database to database.
    """
    return not (name or "").startswith(
        {"table": "item_words", "index": "ix_item_words"}.get(kind, "/")
    )


class SqlTable(DeclarativeBase):
    """Root of all tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        dict[str, Any]: JSON,
        list[dict[str, Any]]: JSON,
    }


class CatalogueRow(SqlTable):
    """One catalogue: a name, and the models that made its vectors."""

    __tablename__ = "catalogue"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    """The shop's name for it; one that begins with `~` is being made by `lapel reembed`."""
    uid: Mapped[str] = mapped_column(String(32), default=lambda: uuid.uuid4().hex)
    """Names the vector file: another database's vectors are never taken for this one's."""
    fingerprint: Mapped[str | None] = mapped_column(String(32))
    """Of the models; empty until the first garment is stored."""
    layout: Mapped[dict[str, Any] | None]
    """Lengths of the fused vector's parts."""
    revision: Mapped[int] = mapped_column(default=0)
    """Grows with each change."""
    log_from: Mapped[int] = mapped_column(default=0, server_default="0")
    """Since this revision every removed garment is in `removed_garment`."""
    models: Mapped[dict[str, Any] | None]
    """The settings `detector`, `encoder` and `attributes` of the re-embedding that made it; a
    running server switches to them."""
    calibration: Mapped[dict[str, Any] | None]
    """Made by `lapel evaluate --calibrate`: how surely a hit of some score is the same product."""


class ItemRow(SqlTable):
    """An item that the shop sells, as in its feed. `fields` keeps every column not known here."""

    __tablename__ = "item"
    __table_args__ = (
        UniqueConstraint("catalogue_id", "item_id"),
        Index("ix_item_catalogue_group", "catalogue_id", "group_id"),
        Index("ix_item_catalogue_revision", "catalogue_id", "revision"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    catalogue_id: Mapped[int] = mapped_column(ForeignKey("catalogue.id", ondelete="CASCADE"))
    item_id: Mapped[str] = mapped_column(String(200))
    group_id: Mapped[str] = mapped_column(String(200))
    title: Mapped[str] = mapped_column(Text, default="")
    description: Mapped[str] = mapped_column(Text, default="")
    category: Mapped[str | None] = mapped_column(String(50))
    slot: Mapped[str | None] = mapped_column(String(20))
    colour: Mapped[str | None] = mapped_column(String(200))
    brand: Mapped[str | None] = mapped_column(String(200))
    price: Mapped[float | None] = mapped_column(Float)
    currency: Mapped[str | None] = mapped_column(String(3))
    availability: Mapped[str | None] = mapped_column(String(20))
    link: Mapped[str | None] = mapped_column(Text)
    fields: Mapped[dict[str, Any]]
    content_hash: Mapped[str] = mapped_column(String(64))
    """Of the feed's row: equal means nothing to do."""
    duplicate_of: Mapped[str | None] = mapped_column(String(200))
    """The group whose picture this item's repeats, by `lapel duplicates --collapse`."""
    revision: Mapped[int] = mapped_column(default=0, server_default="0")
    """The catalogue's, made by the item's last change."""
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), default=_now, onupdate=_now
    )


class PhotoRow(SqlTable):
    """One picture's content, identified by its hash; the same file under two names is one photo."""

    __tablename__ = "photo"
    __table_args__ = (UniqueConstraint("catalogue_id", "sha256"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    catalogue_id: Mapped[int] = mapped_column(ForeignKey("catalogue.id", ondelete="CASCADE"))
    sha256: Mapped[str] = mapped_column(String(64))
    height: Mapped[int]
    width: Mapped[int]


class ItemPhotoRow(SqlTable):
    """An item's photo: its address, and its position among the item's photos."""

    __tablename__ = "item_photo"

    item_id: Mapped[int] = mapped_column(
        ForeignKey("item.id", ondelete="CASCADE"), primary_key=True
    )
    photo_id: Mapped[int] = mapped_column(
        ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    position: Mapped[int]
    address: Mapped[str] = mapped_column(Text)
    """Path or web address, as resolved."""
    wanted: Mapped[str] = mapped_column(String(20), default="", server_default=text("''"))
    """Which of its garments are the item's: those with the same `garment.wanted`."""
    place: Mapped[dict[str, Any] | None]
    """Where in the photo the feed says it is: `Place.stored` of
    indexer/description/garment_target.py."""


class GarmentRow(SqlTable):
    """One garment in one photo with its features. Rows never change: they are deleted, and new ones
    made. The id is that of its vector too, so no id may be given twice.
    """

    __tablename__ = "garment"
    __table_args__ = (
        Index("ix_garment_catalogue_slot", "catalogue_id", "slot"),
        Index("ix_garment_catalogue_garment", "catalogue_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    catalogue_id: Mapped[int] = mapped_column(ForeignKey("catalogue.id", ondelete="CASCADE"))
    photo_id: Mapped[int] = mapped_column(ForeignKey("photo.id", ondelete="CASCADE"), index=True)
    wanted: Mapped[str] = mapped_column(String(20), default="")
    """The slot that the feed asked for, or it and the hash of a region; empty for all garments."""
    slot: Mapped[str] = mapped_column(String(20))
    category: Mapped[str] = mapped_column(String(50))
    confidence: Mapped[float]
    is_fallback: Mapped[bool]
    box: Mapped[list[float]] = mapped_column(JSON)
    """`[x1, y1, x2, y2]` in 0..1 of the photo."""
    palette: Mapped[list[dict[str, Any]]]
    attributes: Mapped[dict[str, Any]]
    fingerprint: Mapped[str] = mapped_column(String(32))
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    """The fused vector, float16, little-endian."""


class ItemGarmentRow(SqlTable):
    """Which garments are an item's own."""

    __tablename__ = "item_garment"

    item_id: Mapped[int] = mapped_column(
        ForeignKey("item.id", ondelete="CASCADE"), primary_key=True
    )
    garment_id: Mapped[int] = mapped_column(
        ForeignKey("garment.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class RemovedGarmentRow(SqlTable):
    """A removed garment, remembered for a while so that other processes' vectors can follow."""

    __tablename__ = "removed_garment"
    __table_args__ = (Index("ix_removed_garment_catalogue_revision", "catalogue_id", "revision"),)

    garment_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    catalogue_id: Mapped[int] = mapped_column(ForeignKey("catalogue.id", ondelete="CASCADE"))
    revision: Mapped[int]
    """The catalogue's, made by the removal."""


class FaultRow(SqlTable):
    """A row or picture of an item that could not be used in its last import."""

    __tablename__ = "fault"
    __table_args__ = (Index("ix_fault_catalogue_item", "catalogue_id", "item_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    catalogue_id: Mapped[int] = mapped_column(ForeignKey("catalogue.id", ondelete="CASCADE"))
    item_id: Mapped[str] = mapped_column(String(200))
    address: Mapped[str] = mapped_column(Text)
    """The picture's, as the feed says it; empty where the whole row is meant."""
    kind: Mapped[str] = mapped_column(String(40))
    """The error's type: `photo_missing`."""
    detail: Mapped[str] = mapped_column(Text)


class KeyRow(SqlTable):
    """A key to the HTTP server, stored as its hash, never as the key."""

    __tablename__ = "api_key"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    """`publishable` (may search) or `admin` (may write, too)."""
    name: Mapped[str] = mapped_column(String(100))
    """The holder it was made for."""
    start: Mapped[str] = mapped_column(String(20))
    """Its first letters, by which a person can recognise it."""
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=_now)
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class JobRow(SqlTable):
    """An import over HTTP, so that any worker can report its progress."""

    __tablename__ = "job"
    __table_args__ = (Index("ix_job_catalogue_created", "catalogue", "created_at"),)

    job_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    catalogue: Mapped[str] = mapped_column(String(100))
    source: Mapped[str] = mapped_column(Text)
    """The feed, as it was named in the request."""
    status: Mapped[str] = mapped_column(String(20))
    """`waiting`, `running`, `done` or `failed`."""
    detail: Mapped[str] = mapped_column(Text, default="")
    read: Mapped[int] = mapped_column(default=0)
    """Rows of the feed so far, of `total`."""
    total: Mapped[int | None]
    counts: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=_now)
    seen_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=_now)
    """When the worker that runs it last reported: one that was killed no longer does."""
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class EventRow(SqlTable):
    """An action of a shopper on an item; of the person only a short-lived session id is stored."""

    __tablename__ = "event"
    __table_args__ = (Index("ix_event_catalogue_day_item", "catalogue_id", "day", "item_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    catalogue_id: Mapped[int] = mapped_column(ForeignKey("catalogue.id", ondelete="CASCADE"))
    item_id: Mapped[str] = mapped_column(String(200))
    """The shop's own id, no link: earlier purchases count again when an item comes back."""
    kind: Mapped[str] = mapped_column(String(10))
    """`view`, `click`, `cart` or `buy`."""
    query_id: Mapped[str | None] = mapped_column(String(64))
    session: Mapped[str | None] = mapped_column(String(64))
    day: Mapped[int]
    """Days since 1970-01-01, UTC: events are counted by day."""
    happened_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=_now)


class CompanionRow(SqlTable):
    """A garment that a photo shows beside those of its items.

    Found by `lapel outfits learn`; deleted with the photo; made by the models of `fingerprint`.
    """

    __tablename__ = "companion"

    id: Mapped[int] = mapped_column(primary_key=True)
    catalogue_id: Mapped[int] = mapped_column(
        ForeignKey("catalogue.id", ondelete="CASCADE"), index=True
    )
    photo_id: Mapped[int] = mapped_column(ForeignKey("photo.id", ondelete="CASCADE"), index=True)
    slot: Mapped[str] = mapped_column(String(20))
    """`unknown` where the photo shows nothing else, so that it is not described again."""
    category: Mapped[str] = mapped_column(String(50))
    fingerprint: Mapped[str] = mapped_column(String(32))
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    """As of a garment; empty where the photo shows nothing else."""
