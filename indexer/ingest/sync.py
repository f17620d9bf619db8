"""Compare a feed with a catalogue, show the plan, refuse dangerous ones, and carry it out.

The feed is read once, as a stream: ids and the rows to work on are spooled to temporary files.
After an interruption finished work is kept, and the next plan covers the rest.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.errors import SyncRefused
from indexer.feeds.reading.record import Row
from indexer.images.image_sources import ImageSources
from indexer.ingest.feed_spool import FeedSpool
from indexer.ingest.importer import Importer, ImportReport
from indexer.ingest.photo_tasks import PhotoTask
from indexer.ingest.planner import Planner
from indexer.storage.import_faults import forget_faults
from indexer.storage.item_rows import ItemState
from indexer.storage.tables import FaultRow, ItemRow
from indexer.system.batching import batches
from indexer.system.spilled_set import SpilledIdSet

Mode = Literal["upsert", "mirror"]
# of the stored items: even at a season's end a shop removes fewer, a truncated feed more
MAX_REMOVED = 0.2
COMPARED_AT_ONCE = 500  # records held in memory
EXAMPLES = 5  # ids of each kind that are shown


@dataclass(slots=True)
class SyncPlan:
    """What a sync would do: items by kind, rows in error, pictures to describe.

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
        """Count the stored items that differ from the feed."""
        return self.changed_fields + self.changed_pictures

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to do, and nothing to report."""
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
        """Refuse to empty a shop because a feed was cut short. Raises SyncRefused."""
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
    """The outcome of a sync."""

    imported: ImportReport
    removed: int


class Sync:
    """Brings a catalogue to what a feed says. To be used in a `with`.

    `rows` is the feed; it is read once, by `plan`, which spools what `apply` must work on. `upsert`
    adds and changes items, `mirror` also removes those that are not in the feed.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        pictures: ImageSources,
        rows: Iterable[Row],
        mode: Mode = "upsert",
    ) -> None:
        self._catalogue = catalogue
        self._pictures = pictures
        self._rows = rows
        self._mode = mode
        self._seen = SpilledIdSet()
        self._planner = Planner(catalogue, pictures, self._seen)
        self._in_error = SpilledIdSet()  # a row in error names its item: it is not removed
        self.todo = FeedSpool()
        """The rows that `apply` goes through: all but those of unchanged items."""

    def __enter__(self) -> "Sync":
        return self

    def __exit__(self, *_: object) -> None:
        self._seen.close()
        self._in_error.close()
        self.todo.close()

    def plan(
        self, progress: Callable[[int], None] = lambda rows: None, is_dry: bool = False
    ) -> SyncPlan:
        """Compare the feed with what is stored; runs no model, writes nothing to the catalogue.

        `is_dry`: nothing is to be applied, so no row is spooled.
        """
        plan = SyncPlan(self._mode)
        for batch in batches(self._rows, COMPARED_AT_ONCE):
            todo = self._plan_batch(plan, batch)
            if not is_dry:
                self.todo.extend(todo)
            progress(len(batch))
        with Session(self._catalogue.engine) as session:
            here = ItemRow.catalogue_id == self._catalogue.id
            plan.stored = session.scalar(select(func.count()).where(here)) or 0
        if self._mode == "mirror":
            for item_id in self._not_named(ItemRow):
                plan.count("removed", item_id)
        return plan

    def apply(
        self,
        plan: SyncPlan,
        importer: Importer,
        max_removed: float = MAX_REMOVED,
        progress: Callable[[int], None] = lambda rows: None,
    ) -> Synced:
        """Do what was planned, removals last. Raises SyncRefused before anything is done."""
        plan.check(max_removed)
        report = importer.run(self._counted(progress))
        removed = 0
        if self._mode == "mirror":
            for item_ids in batches(self._not_named(ItemRow), 20_000):
                removed += self._catalogue.delete(item_ids)
            self._forget_faults()
        return Synced(report, removed)

    def _plan_batch(self, plan: SyncPlan, batch: Sequence[Row]) -> list[Row]:
        """Count some rows into the plan; returns those that need work."""
        compared = self._planner.compare(batch, only_stored=True)
        plan.rows += len(batch)
        plan.row_errors += len(compared.row_errors)
        self._in_error.add(error.item_id for error in compared.row_errors if error.item_id)
        todo: list[Row] = list(compared.row_errors)
        for item_id, record in compared.records.items():
            if item_id not in compared.stored:
                plan.count("added", item_id)
                plan.pictures += len(record.photos)  # at most: some may be known, or not there
                todo.append(record)
                continue
            photos = compared.photos[item_id]
            new = {photo.key for photo in photos if not _is_in(compared.described, photo)}
            plan.pictures += len(new)
            plan.count(
                _kind(compared.as_stored(item_id), compared.stored[item_id], bool(new)), item_id
            )
            if not compared.is_unchanged(item_id):
                todo.append(record)
        self._pictures.trim()
        return sorted(todo, key=lambda row: row.row)

    def _counted(self, progress: Callable[[int], None]) -> Iterator[Row]:
        for row in self.todo:
            progress(1)
            yield row

    def _forget_faults(self) -> None:
        for item_ids in batches(self._not_named(FaultRow), COMPARED_AT_ONCE):
            with Session(self._catalogue.engine) as session:
                forget_faults(session, self._catalogue.id, item_ids)
                session.commit()

    def _not_named(self, table: type[ItemRow] | type[FaultRow]) -> Iterator[str]:
        """Yield the items of a table that the feed does not name, page by page.

        No session is open while they are used.
        """
        after = ""
        while True:
            page = (
                select(table.item_id)
                .where(table.catalogue_id == self._catalogue.id, table.item_id > after)
                .order_by(table.item_id)
                .distinct()
                .limit(COMPARED_AT_ONCE)
            )
            with Session(self._catalogue.engine) as session:
                ids = list(session.scalars(page))
            if not ids:
                return
            after = ids[-1]
            named = self._seen.known(ids) | self._in_error.known(ids)
            yield from (item_id for item_id in ids if item_id not in named)


def _is_in(described: Collection[tuple[str, str]], photo: PhotoTask) -> bool:
    """Tell whether a photo is described for the slot of its feed.

    Without a slot any counts: the import guesses one by a model, and no model runs here.
    """
    if photo.wanted is None:
        return any(sha256 == photo.sha256 for sha256, _ in described)
    return photo.key in described


def _kind(now: ItemState, stored: ItemState, has_new: bool) -> str:
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
