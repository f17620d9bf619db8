"""Random writes to a catalogue, killed at random moments; after each, is all there that must be?

`make soak` does it a hundred times. A ledger of what was acknowledged stands beside the catalogue:
an item whose write was under way when it was killed may be as before or as after,
every other must be as was last acknowledged.
"""

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.maintenance.doctor import examine
from indexer.settings import Settings
from indexer.storage.tables import ItemGarmentRow, ItemPhotoRow, ItemRow
from tests.support.sample_shop import SHOP_ITEMS

ROOT = Path(__file__).parents[2]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
Version = tuple[tuple[str, ...], float | None]  # an item's pictures and its price


@dataclass(slots=True)
class Ledger:
    """What was acknowledged of each item, and what may have been done since."""

    known: dict[str, Version | None] = field(default_factory=dict)
    under_way: dict[str, Version | None] = field(default_factory=dict)

    def begin(self, order: Mapping[str, Any]) -> None:
        """Note what an order is about to do."""
        if order["do"] == "index":
            self.under_way = {i: (tuple(photos), price) for i, photos, price in order["items"]}
        elif order["do"] == "delete":
            self.under_way = dict.fromkeys(order["items"])

    def acknowledge(self, said: Mapping[str, Any]) -> int:
        """Note what was said to be done; returns of how many items."""
        items = [*said.get("stored", ()), *([said["deleted"]] if "deleted" in said else ())]
        for item_id in items:
            self.known[item_id] = self.under_way.pop(item_id)
        return len(items)

    def check(self, found: Mapping[str, Version]) -> None:
        """Compare with what is stored, and go on from there."""
        for item_id in self.known.keys() | self.under_way.keys() | found.keys():
            may_be = [self.known.get(item_id)]
            if item_id in self.under_way:
                may_be.append(self.under_way[item_id])
            got = found.get(item_id)
            assert got in may_be, f"{item_id} is {got}, expected one of {may_be}"
        self.known, self.under_way = dict(found), {}


@dataclass(slots=True)
class Outcome:
    """How many writes were killed, by kind; how many ended first; what was acknowledged."""

    killed: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0


class Writer:
    """The process that carries out orders; `order` kills it after a while."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        assert self._hear() == {"ready": True}

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        said: dict[str, Any] = json.loads(self._process.stdout.readline())
        return said

    def order(
        self, order: Mapping[str, Any], ledger: Ledger, after_s: float | None
    ) -> tuple[float | None, int]:
        """Carry out an order, or be killed; returns how long it took, if not, and items stored."""
        assert self._process.stdin is not None
        ledger.begin(order)
        self._process.stdin.write(json.dumps({**order, "kill_after_s": after_s}) + "\n")
        self._process.stdin.flush()
        said = [self._hear()]
        while "ended" not in said[-1]:
            said.append(self._hear())
        count = sum(ledger.acknowledge(each) for each in said)
        status = said[-1]["ended"]
        assert status in (0, -signal.SIGKILL), f"the writer failed with {status}"
        return (said[-1]["took_s"] if status == 0 else None), count


@contextmanager
def writer(home: Path, pictures: Path) -> Iterator[Writer]:
    """Start the process that carries out orders."""
    command = [sys.executable, "-m", "tests.soak.kill_writer", str(home), str(pictures)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Writer(process)
        finally:
            process.kill()


def kill_at_random(
    home: Path,
    pictures: Path,
    kills: int,
    seed: int,
    most: int = 60,
    say: Callable[[Outcome], None] = lambda outcome: None,
) -> Outcome:
    """Write and kill until `kills` writes were killed, checking after each; at most `most` items.

    Raises AssertionError for what is not as it must be.
    """
    chance = random.Random(seed)
    outcome, ledger = Outcome(), Ledger()
    items = [item.item_id for item in SHOP_ITEMS][:most]
    longest: dict[str, float] = {}  # seconds that each kind takes: the first one is let end
    with writer(home, pictures) as process:
        while outcome.killed.total() < kills:
            order = _order(chance, items, ledger)
            kind = order["do"]
            after_s = chance.uniform(0, longest[kind]) if kind in longest else None
            took_s, count = process.order(order, ledger, after_s)
            (outcome.killed if took_s is None else outcome.ended)[kind] += 1
            if after_s is None:
                longest[kind] = took_s or 0.0
            else:  # as long as an order takes, so that every moment of it is as likely
                longest[kind] *= 1.05 if took_s is None else 0.9
            outcome.acknowledged += count
            check(home, ledger)
            say(outcome)
    return outcome


def check(home: Path, ledger: Ledger) -> None:
    """Open the catalogue as after a restart, compare it with the ledger, and ask the doctor."""
    settings = Settings(home=home)
    if not (home / "lapel.sqlite").exists():
        ledger.check({})
        return
    found = [each for each in examine(settings) if each.state == "wrong"]
    if [each.check for each in found] == ["catalogue"]:  # killed before its tables were made
        ledger.check({})
        return
    assert not found, found
    catalogue = Catalogue.open(settings, create=True)
    ledger.check(stored(catalogue))
    catalogue.engine.dispose()


def stored(catalogue: Catalogue) -> dict[str, Version]:
    """Return every item with its pictures and price; each picture must have its garment."""
    with Session(catalogue.engine) as session:
        items = {row.id: row for row in session.scalars(select(ItemRow))}
        photos: dict[int, list[str]] = {}
        for item_id, address in session.execute(
            select(ItemPhotoRow.item_id, ItemPhotoRow.address).order_by(ItemPhotoRow.position)
        ):
            photos.setdefault(item_id, []).append(f"images/{Path(address).name}")
        counted = session.execute(
            select(ItemGarmentRow.item_id, func.count()).group_by(ItemGarmentRow.item_id)
        )
        garments = {row[0]: row[1] for row in counted}
    for row_id, row in items.items():
        assert garments.get(row_id) == len(photos.get(row_id, ())), row.item_id
    return {row.item_id: (tuple(photos[row_id]), row.price) for row_id, row in items.items()}


def _order(chance: random.Random, items: list[str], ledger: Ledger) -> dict[str, Any]:
    there = [item_id for item_id, version in ledger.known.items() if version is not None]
    kind = chance.choices(["index", "delete", "rebuild"], [5, 3, 2])[0]
    if kind == "index" or len(there) < len(items) // 4:
        views = [["worn"], ["flat"], ["worn", "flat"]]
        return {
            "do": "index",
            "items": [
                (i, [f"images/{i}_{v}.jpg" for v in chance.choice(views)], chance.randint(1, 99))
                for i in chance.sample(items, len(items) // 2)
            ],
        }
    if kind == "delete":
        return {"do": "delete", "items": chance.sample(there, len(there) // 3)}
    return {"do": "rebuild", "times": 20}
