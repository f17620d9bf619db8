"""Keep texts by key on the disk, for readers that must remember the rows they have passed.

A million products would fill a gigabyte as Python objects; a temporary SQLite file, deleted with
its reader, needs only the memory of its cache.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from indexer.system.spilled_set import explain_full_disk, temporary_database

_CACHE_KIB = 16_384  # pages in memory; consecutive look-ups mostly lie side by side


class KeyedTexts:
    """Texts by key on disk: first filled, then looked up. Not for two threads at once."""

    def __init__(self) -> None:
        self._file = temporary_database(_CACHE_KIB)
        self._file.execute("CREATE TABLE texts (key TEXT, text TEXT)")
        self._is_filled = False
        self._last: tuple[str, list[str]] = ("", [])

    def add(self, key: str, text: str) -> None:
        """Keep a text, beside others of its key. Raises FeedError where the disk is full."""
        with explain_full_disk():
            self._file.execute("INSERT INTO texts VALUES (?, ?)", (key, text))

    def add_cells(self, key: str, cells: Mapping[str, str]) -> None:
        """Keep the cells of a row that are not empty."""
        self.add(key, json.dumps({word: cell for word, cell in cells.items() if cell}))

    def texts(self, key: str) -> list[str]:
        """Return the texts of a key in order of arrival; variants ask for the same key in turn."""
        if not self._is_filled:
            with explain_full_disk():
                self._file.commit()
                self._file.execute("CREATE INDEX of_key ON texts (key)")
            self._is_filled = True
        if self._last[0] != key or not self._last[1]:
            with explain_full_disk():
                rows = self._file.execute(
                    "SELECT text FROM texts WHERE key = ? ORDER BY rowid", (key,)
                ).fetchall()
            self._last = (key, [text for (text,) in rows])
        return self._last[1]

    def cells(self, key: str) -> dict[str, str] | None:
        """Return the first cells stored under a key, or None."""
        found = self.texts(key)
        return dict(json.loads(found[0])) if found else None

    def close(self) -> None:
        """Remove the file."""
        self._file.close()


@contextmanager
def keyed_texts() -> Iterator[KeyedTexts]:
    """Open a file of texts, and remove it at the end."""
    texts = KeyedTexts()
    try:
        yield texts
    finally:
        texts.close()
