"""How much memory it may take in, a SQLite file that is gone with its process out.

What a run must remember of millions of rows would fill a gigabyte as Python objects.
"""

import sqlite3


def temporary_rows(cache_kib: int) -> sqlite3.Connection:
    """Open an empty database in a temporary file, removed when it is closed or the process ends.

    `cache_kib` of it stay in memory. Not for two threads at once.
    """
    rows = sqlite3.connect("", check_same_thread=False)
    rows.execute(f"PRAGMA cache_size = -{cache_kib}")
    rows.execute("PRAGMA journal_mode = OFF")  # nobody goes on after a crash
    rows.execute("PRAGMA synchronous = OFF")
    return rows
