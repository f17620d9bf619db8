"""Count what shoppers did with a catalogue's items, as each group's popularity: 0..1, bounded.

Events fade by half in two weeks. A group's rate (its events, weighted by their meaning, for each
view) is drawn towards the catalogue's own rate by as many views as `PRIOR_VIEWS`, so that one click
on one view counts little (Bayesian smoothing, as Wang et al., Click-through rate estimation for
rare events in online advertising, 2011). Popularity is rate / (rate + the catalogue's): 0.5 is the
average, and of an unknown group.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

from sqlalchemy import String, cast, func, select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.catalogue.events import day_of
from indexer.storage.tables import EventRow, ItemRow

# Weights of the events after a view: guesses in the order of a shop's funnel, where
# about one of three clicks becomes a cart and one of two carts a sale.
MEANING: Mapping[str, float] = {"click": 1.0, "cart": 3.0, "buy": 6.0}
HALF_LIFE_DAYS = 14.0
OLDEST_DAYS = 90  # older events have faded to 1 %
PRIOR_VIEWS = 20.0
CACHED_S = 60.0  # counting a million events takes a second
AVERAGE = 0.5


@dataclass(frozen=True, slots=True)
class Popularity:
    """The popularity of each group that has events."""

    groups: Mapping[str, float] = field(default_factory=dict)

    def of(self, group_id: str) -> float:
        """Return a group's popularity, 0..1; 0.5 for a group without events."""
        return self.groups.get(group_id, AVERAGE)


def read_popularity(catalogue: Catalogue, now: datetime | None = None) -> Popularity:
    """Count a catalogue's events; one session counts once a day for a group and kind of event."""
    today = day_of(now or datetime.now(UTC))
    who = func.count(func.coalesce(EventRow.session, cast(EventRow.id, String)).distinct())
    query = (
        select(ItemRow.group_id, EventRow.kind, EventRow.day, who)
        .join(
            ItemRow,
            (ItemRow.catalogue_id == EventRow.catalogue_id) & (ItemRow.item_id == EventRow.item_id),
        )
        .where(EventRow.catalogue_id == catalogue.id, EventRow.day > today - OLDEST_DAYS)
        .group_by(ItemRow.group_id, EventRow.kind, EventRow.day)
    )
    views: dict[str, float] = defaultdict(float)
    done: dict[str, float] = defaultdict(float)
    times: dict[str, float] = defaultdict(float)
    with Session(catalogue.engine) as session:
        for group, kind, day, count in session.execute(query):
            faded = count * 0.5 ** (max(0, today - day) / HALF_LIFE_DAYS)
            if kind == "view":
                views[group] += faded
            else:
                done[group] += MEANING[kind] * faded
                times[group] += faded
    return Popularity(_smoothed(views, done, times))


def _smoothed(
    views: Mapping[str, float], done: Mapping[str, float], times: Mapping[str, float]
) -> dict[str, float]:
    """Return each group's popularity; without any views, as if all had equally many."""
    groups = views.keys() | done.keys()
    total = sum(done.values())
    if not total:
        return {}
    # A clicked item was seen, whether the shop reports its views or not.
    seen = {group: max(views.get(group, 0.0), times.get(group, 0.0)) for group in groups}
    prior = PRIOR_VIEWS
    if not views:
        seen, prior = dict.fromkeys(groups, 1.0), 1.0
    usual = total / sum(seen.values())
    rates = {
        group: (done.get(group, 0.0) + prior * usual) / (seen[group] + prior) for group in groups
    }
    return {group: rate / (rate + usual) for group, rate in rates.items()}


class CachedPopularity:
    """One catalogue's popularity, counted anew after a minute. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._cached: tuple[float, Popularity] | None = None
        self._lock = threading.Lock()

    @classmethod
    def of(cls, catalogue: Catalogue) -> "CachedPopularity":
        """Return the cache of an open catalogue."""
        with _opening:
            return _opened.setdefault(catalogue, cls())

    def read(self, catalogue: Catalogue) -> Popularity:
        """Return the popularity of a catalogue's groups, at most a minute old."""
        with self._lock:
            now = self._clock()
            if self._cached is None or now - self._cached[0] > CACHED_S:
                self._cached = now, read_popularity(catalogue)
            return self._cached[1]


_opened: WeakKeyDictionary[Catalogue, CachedPopularity] = WeakKeyDictionary()
_opening = threading.Lock()
