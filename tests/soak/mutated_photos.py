"""Mutated pictures into `read_photo` for as long as is said; what it must not do is kept and named.

    python -m tests.soak.mutated_photos --minutes 10 [--first 0] [--keep FOLDER]

Exit 1 where a picture crashed, hung, or ended in an error that is not ours. The next run may go on
from the number that this one ends with.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from tests.hostile.mutations import mutated
from tests.hostile.watchdog import Came, read_all

A_ROUND = 2_000  # pictures a process: what leaks shows, and a new start costs little


def main() -> int:
    """Read until the time is over."""
    options = _options()
    until = time.monotonic() + 60 * options.minutes
    number, bad = options.first, 0
    counts: Counter[str] = Counter()
    slowest = largest = Came("none", "")
    while time.monotonic() < until:
        for came in read_all(number, A_ROUND):
            counts[came.outcome] += 1
            slowest = max(slowest, came, key=lambda each: each.cpu_s)
            largest = max(largest, came, key=lambda each: each.peak_bytes)
            if came.is_bad:
                bad += 1
                _keep(options.keep, came)
        number += A_ROUND
    for outcome, count in counts.most_common():
        sys.stdout.write(f"{count:8} {outcome}\n")
    sys.stdout.write(
        f"{number - options.first} pictures, numbers {options.first} to {number - 1}: {bad} bad; "
        f"slowest {slowest.cpu_s:.2f} s ({slowest.name}), "
        f"largest {largest.peak_bytes / 1e6:.0f} MB ({largest.name})\n"
    )
    return 1 if bad else 0


def _keep(folder: Path, came: Came) -> None:
    """Say what was bad, and keep the picture that did it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / came.name
    path.write_bytes(mutated(int(came.name.rpartition("-")[2])))
    sys.stdout.write(f"{path}: {came.outcome} {came.detail}\n")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Mutated pictures into read_photo.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("runs/soak_photo"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
