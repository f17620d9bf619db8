"""Carry out orders from stdin on a catalogue, each in a child process that may be killed.

Started once, for the libraries take seconds to load; every order is then carried out by a fork.
Lines of JSON come out: what is stored or deleted for good, and how the child ended.
"""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Collection
from pathlib import Path
from typing import Any

from indexer.catalogue.catalogue import Catalogue
from indexer.feeds.reading.record import ItemRecord
from indexer.ingest.importer import Importer
from indexer.settings import Settings
from indexer.storage.item_rows import ItemWrite
from indexer.system.batching import batches
from tests.support.small_catalogue import dots

ITEMS_A_RUN = 8  # so that one order commits, and saves the vectors, several times


def say(**said: Any) -> None:
    """Write a line, whole even if another process writes too."""
    os.write(1, (json.dumps(said) + "\n").encode())


class Acknowledging(Catalogue):
    """A catalogue that says what it has stored, once it has."""

    def write(self, items: Collection[ItemWrite]) -> None:
        super().write(items)
        say(stored=[each.record.item_id for each in items])


def carry_out(home: Path, pictures: Path, order: dict[str, Any]) -> None:
    catalogue = Acknowledging.open(Settings(home=home), create=True)
    if order["do"] == "index":
        records = [
            ItemRecord(item_id, item_id, tuple(photos), price=price, slot="top")
            for item_id, photos, price in order["items"]
        ]
        for some in batches(records, ITEMS_A_RUN):
            Importer(catalogue, dots(1), pictures, pictures).run(some)
    elif order["do"] == "delete":
        for item_id in order["items"]:
            catalogue.delete([item_id])
            say(deleted=item_id)
    else:
        for _ in range(order["times"]):
            catalogue.rebuild()


def main() -> None:
    home, pictures = map(Path, sys.argv[1:])
    say(ready=True)
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            try:
                carry_out(home, pictures, order)
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        start = time.monotonic()
        if order["kill_after_s"] is not None:
            time.sleep(order["kill_after_s"])
            os.kill(pid, signal.SIGKILL)  # not yet waited for: the number is still the child's
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        say(ended=status, took_s=time.monotonic() - start)


if __name__ == "__main__":
    main()
