"""Store, count and delete events: what shoppers did with items.

A row has no person in it: a session's id is the shop's own, and may be left out.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.storage.tables import EventRow, ItemRow
from indexer.system.batching import SQL_VALUES, batches
from indexer.system.disk_errors import explained

Kind = Literal["view", "click", "cart", "buy"]
KINDS: tuple[Kind, ...] = ("view", "click", "cart", "buy")
DELETED_AT_ONCE = 10_000  # in one transaction: writers wait for it no longer than a moment
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a shopper did; `query_id` is of the answer in which the item stood."""

    kind: Kind
    item_id: str
    happened_at: datetime
    query_id: str | None = None
    session: str | None = None


def day_of(moment: datetime) -> int:
    """Return the days from 1970-01-01 to a moment, in UTC."""
    return int(moment.timestamp() // DAY_S)


def add_events(catalogue: Catalogue, events: Sequence[Event]) -> list[str]:
    """Store the events of items that there are; returns the ids of those there are not."""
    with explained(catalogue.settings.home), Session(catalogue.engine) as session:
        known = _known(session, catalogue.id, {event.item_id for event in events})
        rows = [
            {
                "catalogue_id": catalogue.id,
                "item_id": event.item_id,
                "kind": event.kind,
                "query_id": event.query_id,
                "session": event.session,
                "day": day_of(event.happened_at),
                "happened_at": event.happened_at.astimezone(UTC),
            }
            for event in events
            if event.item_id in known
        ]
        if rows:
            session.execute(insert(EventRow), rows)
            session.commit()
    return sorted({event.item_id for event in events} - known)


def count_events(catalogue: Catalogue) -> dict[str, dict[str, int]]:
    """Return how many events of each kind there are, and of how many items and sessions."""
    each = select(
        EventRow.kind,
        func.count(),
        func.count(EventRow.item_id.distinct()),
        func.count(EventRow.session.distinct()),
    )
    query = each.where(EventRow.catalogue_id == catalogue.id).group_by(EventRow.kind)
    with Session(catalogue.engine) as session:
        counted = {kind: counts for kind, *counts in session.execute(query)}
    nothing = [0, 0, 0]
    return {
        kind: dict(zip(("events", "items", "sessions"), counted.get(kind, nothing), strict=True))
        for kind in KINDS
    }


def prune_events(catalogue: Catalogue, days: int, now: datetime | None = None) -> int:
    """Delete events older than so many days; returns how many there were."""
    first = day_of((now or datetime.now(UTC)) - timedelta(days=days))
    old = (EventRow.catalogue_id == catalogue.id) & (EventRow.day < first)
    count = 0
    with explained(catalogue.settings.home), Session(catalogue.engine) as session:
        while ids := session.scalars(select(EventRow.id).where(old).limit(DELETED_AT_ONCE)).all():
            for some in batches(ids, SQL_VALUES):
                session.execute(delete(EventRow).where(EventRow.id.in_(some)))
            session.commit()
            count += len(ids)
    return count


def _known(session: Session, catalogue_id: int, item_ids: Collection[str]) -> set[str]:
    return {
        item_id
        for some in batches(sorted(item_ids), SQL_VALUES)
        for item_id in session.scalars(
            select(ItemRow.item_id).where(
                ItemRow.catalogue_id == catalogue_id, ItemRow.item_id.in_(some)
            )
        )
    }
