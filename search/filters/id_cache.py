"""Cache the ids of the garments that slots and filters let through.

A set is read from SQL once and then follows commits, at the cost of what changed: new garments have
larger ids than any seen, removed ones stand in a log, and changed items bear the catalogue's
revision (`indexer/storage/revision_log.py`). A set may hold garments that are removed or no longer
match, but never lacks one that matches: searches check their hits in SQL.
"""

import logging
import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, Select, bindparam, select

from indexer.catalogue.catalogue import Catalogue
from indexer.fused_vector import Ids
from indexer.storage.catalogue_row import select_row
from indexer.storage.tables import (
    CatalogueRow,
    GarmentRow,
    ItemGarmentRow,
    ItemRow,
    RemovedGarmentRow,
)
from indexer.vectors.id_set import IdSet
from search.filters.conditions import Condition, Filters

# Of filters' sets together: a million ids take 8.1 MB, and a shop's page offers some dozens.
MOST_BYTES = 256_000_000
# Garments of changed items that a set is followed through; of more it is read anew.
MOST_CHANGED = 20_000
# A search without its filter's set takes longer: by 1 to 2 ms where it looked at the nearest only,
# by 10 to 20 where it looked further. After so many of such misses the set is read beside searches,
# which takes half a second for a third of a million garments.
LOADED_AFTER = 300
MISS_CHEAP, MISS_COSTLY = 1, 100
MOST_COUNTED = 1_000  # filters of which it is counted
MOST_STATEMENTS = 64  # kept ready: of filters that shoppers ask again, on the next page at least
LEFT_OUT = ("item_id", "group_id")  # `!=` on these takes out few: what is found is checked anyway
log = logging.getLogger("lapel")
Slots = tuple[str, ...] | None
_MATCHING = (
    select(ItemGarmentRow.garment_id)
    .join(ItemRow, ItemRow.id == ItemGarmentRow.item_id)
    .where(ItemGarmentRow.garment_id.in_(bindparam("ids", expanding=True)))
)


@dataclass(frozen=True, slots=True)
class Version:
    """What a set was read at: a catalogue's vectors, and their revision."""

    uid: str
    revision: int
    log_from: int

    @classmethod
    def of(cls, row: CatalogueRow) -> "Version":
        """Return that of a catalogue's row."""
        return cls(row.uid, row.revision, row.log_from)


@dataclass(frozen=True, slots=True, eq=False)
class _SlotTable:
    """All garments: `ids` (n,) ascending, and `codes` (n,), places in `names`."""

    version: Version
    ids: Ids
    codes: NDArray[np.uint8]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _CachedSet:
    version: Version
    id_set: IdSet


class IdCache:
    """One catalogue's sets; threads may share it."""

    def __init__(self, catalogue_id: int) -> None:
        self._id = catalogue_id
        self._slotted: _SlotTable | None = None
        self._of_slots: dict[Slots, _CachedSet] = {}
        self._filtered: OrderedDict[tuple[Slots, Filters], _CachedSet] = OrderedDict()
        self._fields: tuple[Version | None, set[str]] = (None, set())
        self._misses: Counter[tuple[Slots, Filters]] = Counter()
        self._loading: set[tuple[Slots, Filters]] = set()
        self._lock = threading.Lock()  # around what is kept, never around a filter's SQL

    @classmethod
    def of(cls, catalogue: Catalogue) -> "IdCache":
        """Return the sets of a catalogue, which are kept as long as it is open."""
        with _opening:
            found = _opened.get(catalogue)
            if found is None:
                found = _opened[catalogue] = cls(catalogue.id)
            return found

    def version(self, sql: Connection) -> Version:
        """Return what the catalogue is at now."""
        return Version.of(select_row(sql, self._id))

    def check(self, sql: Connection, version: Version, filters: Filters) -> None:
        """Refuse a field that no item has, asking SQL once a revision. Raises QueryError."""
        wanted = filters.own_fields()
        if not wanted:
            return
        seen, known = self._fields
        if seen != version or not wanted <= known:
            filters.check(sql, self._id)
            with self._lock:
                seen, known = self._fields
                self._fields = (version, wanted | known if seen == version else wanted)

    def among_slots(self, sql: Connection, version: Version, slots: Slots) -> IdSet | None:
        """Return the garments of these slots, and of an unknown one; None for all of them."""
        if slots is None:
            return None
        with self._lock:
            kept = self._of_slots.get(slots)
            if kept is None or kept.version != version:
                slotted = self._follow_slots(sql, version)
                asked = [i for i, name in enumerate(slotted.names) if name in (*slots, "unknown")]
                ids = slotted.ids[np.isin(slotted.codes, asked)]
                kept = self._of_slots[slots] = _CachedSet(version, IdSet.of(ids))
            return kept.id_set

    def among_matching(
        self, sql: Connection, version: Version, slots: Slots, filters: Filters, load: bool
    ) -> IdSet | None:
        """Return the garments of these slots whose items match; without `load` if cached."""
        key = slots, filters
        with self._lock:
            kept = self._filtered.get(key)
        followed = kept and self._follow(sql, kept, version, slots, filters)
        if followed is None and load:
            followed = _CachedSet(version, IdSet.of(_ids(sql, self._matching(slots, filters))))
        with self._lock:
            if followed is None:
                self._filtered.pop(key, None)
                return None
            self._filtered[key] = followed
            self._filtered.move_to_end(key)
            while sum(map(_size, self._filtered.values())) > MOST_BYTES and len(self._filtered) > 1:
                self._filtered.popitem(last=False)
        return followed.id_set

    def note_miss(self, engine: Engine, slots: Slots, filters: Filters, weight: int) -> None:
        """Note a search without its set in the cache, by MISS_CHEAP or MISS_COSTLY.

        After LOADED_AFTER it is read by a thread of its own: no search waits for it.
        """
        key = slots, filters
        with self._lock:
            if len(self._misses) >= MOST_COUNTED:
                self._misses.clear()
            self._misses[key] += weight
            if self._misses[key] < LOADED_AFTER or key in self._loading:
                return
            del self._misses[key]
            self._loading.add(key)
        threading.Thread(target=self._load, args=(engine, key), name="sets", daemon=True).start()

    def _load(self, engine: Engine, key: tuple[Slots, Filters]) -> None:
        try:
            with engine.connect() as sql:
                self.among_matching(sql, self.version(sql), *key, load=True)
        except Exception as error:  # searches do without it, as they did
            log.debug("a filter's set could not be read: %s", error)
        finally:
            with self._lock:
                self._loading.discard(key)

    def _follow_slots(self, sql: Connection, version: Version) -> _SlotTable:
        """Return all garments as of this version; read the whole only where the log is short."""
        old = self._slotted
        if old is None or not _can_follow(old.version, version):
            nothing = replace(version, revision=-1)
            old = _SlotTable(nothing, np.zeros(0, np.int64), np.zeros(0, np.uint8), ())
        last = int(old.ids.max(initial=0))
        new = (GarmentRow.catalogue_id == self._id) & (GarmentRow.id > last)
        found = sql.scalars(select(GarmentRow.slot).where(new).distinct()).all()
        names = list(dict.fromkeys([*old.names, *found]))
        of_slot = [  # slot by slot: an index has these ids, so that no row is read
            _ids(sql, select(GarmentRow.id).where(new, GarmentRow.slot == name)) for name in names
        ]
        ids = np.concatenate([old.ids, *of_slot])
        places = np.repeat(np.arange(len(names), dtype=np.uint8), list(map(len, of_slot)))
        codes = np.concatenate([old.codes, places])
        gone = self._removed(sql, old.version) if len(old.ids) else np.zeros(0, np.int64)
        stays = ~np.isin(ids, gone)
        order = np.argsort(ids[stays], kind="stable")
        self._slotted = _SlotTable(version, ids[stays][order], codes[stays][order], tuple(names))
        return self._slotted

    def _follow(
        self, sql: Connection, kept: _CachedSet, version: Version, slots: Slots, filters: Filters
    ) -> _CachedSet | None:
        """Bring a set to this version; None when it must be read anew."""
        if kept.version == version:
            return kept
        if not _can_follow(kept.version, version):
            return None
        changed = (
            select(ItemGarmentRow.garment_id)
            .join(ItemRow, ItemRow.id == ItemGarmentRow.item_id)
            .where(ItemRow.catalogue_id == self._id, ItemRow.revision > kept.version.revision)
            .correlate(None)
        )
        affected = _ids(sql, changed.limit(MOST_CHANGED + 1))
        if len(affected) > MOST_CHANGED:
            return None
        matching = self._matching(slots, filters).where(GarmentRow.id.in_(changed))
        gone = np.concatenate([affected, self._removed(sql, kept.version)])
        before = kept.id_set.ids
        stays = before[~np.isin(before, gone)]
        return _CachedSet(version, IdSet.of(np.union1d(stays, _ids(sql, matching))))

    def _matching(self, slots: Slots, filters: Filters) -> Select[Any]:
        query = (
            select(GarmentRow.id)
            .join(ItemGarmentRow, ItemGarmentRow.garment_id == GarmentRow.id)
            .join(ItemRow, ItemRow.id == ItemGarmentRow.item_id)
            .where(ItemRow.catalogue_id == self._id, filters.clause())
            .distinct()
        )
        return query if slots is None else query.where(GarmentRow.slot.in_([*slots, "unknown"]))

    def _removed(self, sql: Connection, since: Version) -> Ids:
        log = RemovedGarmentRow
        query = select(log.garment_id).where(
            log.catalogue_id == self._id, log.revision > since.revision
        )
        return _ids(sql, query)


def cacheable_part(filters: Filters) -> Filters:
    """Return the conditions that a set is made for: without those that leave out named items."""
    return Filters(
        tuple(
            node
            for node in filters.conditions
            if not (
                isinstance(node, Condition) and node.operator == "!=" and node.field in LEFT_OUT
            )
        )
    )


def matching_among(sql: Connection, ids: Sequence[int], filters: Filters) -> set[int]:
    """Return which of these garments have an item that matches."""
    found = sql.execute(_matching_query(filters), {"ids": ids})
    return {row[0] for row in found.cursor.fetchall()}


@lru_cache(maxsize=MOST_STATEMENTS)
def _matching_query(filters: Filters) -> Select[Any]:
    return _MATCHING.where(filters.clause())


def _can_follow(old: Version, new: Version) -> bool:
    return old.uid == new.uid and new.log_from <= old.revision <= new.revision


def _ids(sql: Connection, query: Select[Any]) -> Ids:
    # From the driver: a million rows of SQLAlchemy's own would take seconds.
    rows = sql.execute(query).cursor.fetchall()
    return np.fromiter((row[0] for row in rows), np.int64, len(rows))


def _size(kept: _CachedSet) -> int:
    return kept.id_set.ids.nbytes + kept.id_set.bitmap.nbytes


_opened: WeakKeyDictionary[Catalogue, IdCache] = WeakKeyDictionary()
_opening = threading.Lock()
