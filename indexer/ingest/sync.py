"""A feed and a catalogue in, what sets them apart out: a plan first, and then the work itself.

The feed is read as a stream, once for each; ids lie in temporary files. Interrupted, what is done
is done: the next plan is for the rest.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.errors import SyncRefused
from indexer.feeds.reading.record import ItemRecord, RowError
from indexer.images.image_sources import Pictures
from indexer.ingest.importer import Importer, ImportReport
from indexer.ingest.photo_tasks import FoundPhoto, as_stored, find_photos
from indexer.storage.import_faults import forget_faults
from indexer.storage.item_rows import StoredItem, stored_items, stored_photos
from indexer.storage.tables import FaultRow, ItemRow
from indexer.system.batching import batches
from indexer.system.spilled_set import IdRoll

Mode = Literal["upsert", "mirror"]
MAX_REMOVED = 0.2  # of the stored items; a shop's season ends more slowly, a cut file does not
COMPARED_AT_ONCE = 500  # records held in memory
EXAMPLES = 5  # ids of each kind that a plan names

Row = ItemRecord | RowError


@dataclass(slots=True)
class Plan:
    """What a sync would do: items by kind, rows that give none, pictures to be looked at.

    `changed_pictures` are changed items of which a picture must be described, `changed_fields`
    all others; `unreadable` are stored items of which no picture can be read now: they stay.
    """

    mode: Mode = "upsert"
    stored: int = 0
    rows: int = 0
    added: int = 0
    changed_fields: int = 0
    changed_pictures: int = 0
    unchanged: int = 0
    unreadable: int = 0
    removed: int = 0
    row_errors: int = 0
    pictures: int = 0
    examples: dict[str, list[str]] = field(default_factory=dict)

    @property
    def changed(self) -> int:
        """Stored items that the feed says otherwise."""
        return self.changed_fields + self.changed_pictures

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to do, and nothing to be named."""
        return not (self.added or self.changed or self.removed or self.unreadable)

    def count(self, kind: str, item_id: str) -> None:
        """Add one item of a kind."""
        setattr(self, kind, getattr(self, kind) + 1)
        named = self.examples.setdefault(kind, [])
        if kind != "unchanged" and len(named) < EXAMPLES:
            named.append(item_id)

    def shown(self) -> dict[str, Any]:
        """Return the plan as JSON."""
        names = [name for name in self.__slots__ if name != "examples"]
        examples = {kind: ids for kind, ids in self.examples.items() if ids}
        return {name: getattr(self, name) for name in names} | {
            "changed": self.changed,
            "examples": examples,
        }

    def check(self, max_removed: float) -> None:
        """Refuse to empty a shop for the sake of a feed that was cut short. Raises SyncRefused."""
        if not self.removed:
            return
        advice = (
            "nothing was done. Look at the feed; if it is right, say so by --max-removed "
            f"{-(-100 * self.removed // max(1, self.stored))}%"
        )
        if self.removed > max_removed * self.stored:
            raise SyncRefused(
                f"{self.removed} of {self.stored} stored items are not in the feed, which has "
                f"{self.rows} rows; more than {max_removed:.0%} are not removed unasked: {advice}"
            )
        if max_removed < 1 and self.row_errors > max_removed * self.rows:
            raise SyncRefused(
                f"{self.row_errors} of the feed's {self.rows} rows cannot be read, so what is "
                f"missing in it cannot be known: nothing was done. Mend the feed, or say "
                "--max-removed 100%, or leave out --mode mirror"
            )


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync did."""

    imported: ImportReport
    removed: int


class Sync:
    """Brings a catalogue to what a feed says. To be used in a `with`.

    `read` gives the feed's records from the beginning. `upsert` adds and changes items, `mirror`
    also removes those that are not in the feed.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        pictures: Pictures,
        read: Callable[[], Iterable[Row]],
        mode: Mode = "upsert",
    ) -> None:
        self._catalogue = catalogue
        self._pictures = pictures
        self._read = read
        self._mode = mode
        self._named = IdRoll()
        self._settled = IdRoll()  # unchanged: not looked at again
        self._repeated = IdRoll()

    def __enter__(self) -> "Sync":
        return self

    def __exit__(self, *_: object) -> None:
        for roll in (self._named, self._settled, self._repeated):
            roll.close()

    def plan(self, progress: Callable[[int], None] = lambda rows: None) -> Plan:
        """Compare the feed with what is stored; runs no model, writes nothing to the catalogue."""
        plan = Plan(self._mode)
        for batch in batches(self._read(), COMPARED_AT_ONCE):
            self._plan_batch(plan, batch)
            progress(len(batch))
        with Session(self._catalogue.engine) as session:
            here = ItemRow.catalogue_id == self._catalogue.id
            plan.stored = session.scalar(select(func.count()).where(here)) or 0
        if self._mode == "mirror":
            for item_id in self._absent():
                plan.count("removed", item_id)
        return plan

    def apply(
        self,
        plan: Plan,
        importer: Importer,
        max_removed: float = MAX_REMOVED,
        progress: Callable[[int], None] = lambda rows: None,
    ) -> Synced:
        """Do what was planned, removals last. Raises SyncRefused before anything is done."""
        plan.check(max_removed)
        report = importer.run(self._todo(progress))
        removed = 0
        if self._mode == "mirror":
            # The feed was read again: what it names now is not removed, whatever the plan said.
            for some in batches(self._absent(), 20_000):
                removed += self._catalogue.delete(some)
            self._forget_faults()
        return Synced(report, removed)

    def _plan_batch(self, plan: Plan, batch: Sequence[Row]) -> None:
        records = self._first_of_each(plan, batch)
        with Session(self._catalogue.engine) as session:
            stored = stored_items(session, self._catalogue.id, list(records))
        known = [records[item_id] for item_id in stored]
        self._pictures.fetch_ahead(a for record in known for a in record.photos)
        found = {r.item_id: find_photos(self._pictures, r, lambda *_: None) for r in known}
        hashes = {photo.sha256 for photos in found.values() for photo in photos}
        with Session(self._catalogue.engine) as session:
            described = stored_photos(session, self._catalogue.id, hashes)
        now = {item_id: as_stored(records[item_id], found[item_id]) for item_id in stored}
        for item_id, record in records.items():
            if item_id not in stored:
                plan.count("added", item_id)
                plan.pictures += len(record.photos)  # at most: some may be known, or not there
                continue
            new = {photo.key for photo in found[item_id] if not _is_in(described, photo)}
            plan.pictures += len(new)
            plan.count(_kind(now[item_id], stored[item_id], bool(new)), item_id)
        self._settled.add(item_id for item_id in stored if stored[item_id] == now[item_id])
        self._pictures.trim()

    def _first_of_each(self, plan: Plan, batch: Sequence[Row]) -> dict[str, ItemRecord]:
        """Return the batch's records by id; counts the rows that give none."""
        known = self._named.known([each.item_id for each in batch])
        records: dict[str, ItemRecord] = {}
        plan.rows += len(batch)
        for each in batch:
            if isinstance(each, RowError):
                plan.row_errors += 1
            elif each.item_id in known or each.item_id in records:
                plan.row_errors += 1
                self._repeated.add([each.item_id])
            else:
                records[each.item_id] = each
        self._name(batch)
        return records

    def _name(self, batch: Iterable[Row]) -> None:
        # A row in error names its item too: what is wrong with a row removes nothing.
        self._named.add(each.item_id for each in batch if each.item_id)

    def _todo(self, progress: Callable[[int], None]) -> Iterator[Row]:
        """Yield the feed's rows that are not settled."""
        for batch in batches(self._read(), COMPARED_AT_ONCE):
            ids = [each.item_id for each in batch]
            settled = self._settled.known(ids) - self._repeated.known(ids)
            self._name(batch)
            for each in batch:
                progress(1)
                if isinstance(each, RowError) or each.item_id not in settled:
                    yield each

    def _absent(self) -> Iterator[str]:
        """Yield the stored items that the feed does not name."""
        yield from self._not_named(ItemRow)

    def _forget_faults(self) -> None:
        for some in batches(self._not_named(FaultRow), COMPARED_AT_ONCE):
            with Session(self._catalogue.engine) as session:
                forget_faults(session, self._catalogue.id, some)
                session.commit()

    def _not_named(self, table: type[ItemRow] | type[FaultRow]) -> Iterator[str]:
        after = ""
        while True:
            page = (
                select(table.item_id)
                .where(table.catalogue_id == self._catalogue.id, table.item_id > after)
                .order_by(table.item_id)
                .distinct()
                .limit(COMPARED_AT_ONCE)
            )
            with Session(
                self._catalogue.engine
            ) as session:  # none is held open while they are used
                ids = list(session.scalars(page))
            if not ids:
                return
            after = ids[-1]
            known = self._named.known(ids)
            yield from (each for each in ids if each not in known)


def _is_in(described: Collection[tuple[str, str]], photo: FoundPhoto) -> bool:
    """Tell whether a photo is described, for the slot that its feed names.

    Where it names none, the import guesses one, by a model; no model runs here.
    """
    if photo.wanted is None:
        return any(sha256 == photo.sha256 for sha256, _ in described)
    return photo.key in described


def _kind(now: StoredItem, stored: StoredItem, has_new: bool) -> str:
    if not now.photos:
        return "unreadable"
    if now == stored:
        return "unchanged"
    shown = {sha256 for sha256, _ in now.photos}
    return (
        "changed_pictures"
        if has_new or shown != {s for s, _ in stored.photos}
        else "changed_fields"
    )
