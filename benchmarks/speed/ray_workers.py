"""Compare the photos a second of workers on Ray with those of one process with as many threads.

    python -m benchmarks.speed.ray_workers [--items 60] [--rounds 3] [--workers 1 2]

The drawn sample shop, two photos an item, imported into new catalogues: by this process with so
many threads, and by so many workers of one thread each on a Ray cluster of this machine. They take
turns; a ratio is of one turn, so what else the machine does weighs on both. Workers are there, and
have their models, before anything is timed; how long that took is said apart.
"""

import argparse
import json
import shutil
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import cv2

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.distributed.ray_workers import RayWorkers
from indexer.distributed.worker_pool import WorkerPool
from indexer.feeds import read_feed
from indexer.feeds.reading.record import ItemRecord, RowError
from indexer.ingest.describe_workers import DescribeWorkers
from indexer.ingest.importer import Importer, WorkersFactory
from indexer.models.loading import load_models
from indexer.settings import Settings
from search.evaluation.bootstrap import table
from training.sample_shop import sample_items, write_shop

WORK = Path("runs") / "ray_workers"
WARM = 8  # items that each way imports before it is timed
Way = tuple[Describer, WorkersFactory]


def main() -> None:
    """Print the table, and write it as JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.speed.ray_workers", description=__doc__)
    parser.add_argument("--items", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    given = parser.parse_args()
    folder = WORK / f"shop-{given.items}"
    if not (folder / "feed.tsv").exists():
        write_shop(folder, sample_items()[: given.items])
    records = list(read_feed(folder / "feed.tsv"))
    rates, ready_s = measure(records, folder, given.workers, given.rounds)
    print(report(rates, given.workers))
    print(f"\nworkers ready after {', '.join(f'{n}: {s:.0f} s' for n, s in ready_s.items())}")
    said = {"items": len(records), "rates": rates, "ready_s": ready_s}
    (WORK / "ray_workers.json").write_text(json.dumps(said, indent=1), "utf-8")


def measure(
    records: Sequence[ItemRecord | RowError], folder: Path, workers: Sequence[int], rounds: int
) -> tuple[dict[str, list[float]], dict[int, float]]:
    """Return photos a second of each way, by round, and the seconds until workers were there."""
    cv2.setNumThreads(1)  # as in each worker
    rates: dict[str, list[float]] = {}
    ready_s: dict[int, float] = {}
    for _ in range(rounds):
        for n in workers:
            settings = Settings(home=WORK / "models", threads=n, ray_workers=n)
            here = Describer(load_models(settings, n), at_once=n)
            rates.setdefault(f"process {n}", []).append(
                _rate((here, DescribeWorkers), records, folder)
            )
            with ExitStack() as stack:
                start = time.perf_counter()
                crew = stack.enter_context(WorkerPool(settings, here.models.fingerprint))
                make_workers = partial(RayWorkers, crew)
                _import((here, make_workers), records[:WARM], folder)
                ready_s.setdefault(n, time.perf_counter() - start)
                rates.setdefault(f"ray {n}", []).append(
                    _rate((here, make_workers), records, folder)
                )
            print(n, {way: round(each[-1], 2) for way, each in rates.items()}, flush=True)
    return rates, ready_s


def report(rates: Mapping[str, Sequence[float]], workers: Sequence[int]) -> str:
    """Return the table: medians of rates, and of the turns' ratios."""
    rows = []
    for n in workers:
        here, afar = rates[f"process {n}"], rates[f"ray {n}"]
        ratios = sorted(ours / theirs for ours, theirs in zip(afar, here, strict=True))
        rows.append([
            str(n), f"{statistics.median(here):.2f}", f"{statistics.median(afar):.2f}",
            f"{statistics.median(ratios):.0%}", f"{ratios[0]:.0%} to {ratios[-1]:.0%}",
        ])  # fmt: skip
    heads = ["threads", "one process, photos/s", "Ray workers", "of the process", "turns"]
    return table(heads, rows)


def _rate(way: Way, records: Sequence[ItemRecord | RowError], folder: Path) -> float:
    importer = _import(way, records, folder)
    return importer.report.embedded_photos / importer.took_s


def _import(way: Way, records: Sequence[ItemRecord | RowError], folder: Path) -> Importer:
    home = WORK / "home"
    shutil.rmtree(home, ignore_errors=True)
    describer, make_workers = way
    catalogue = Catalogue.open(Settings(home=home), create=True)
    importer = Importer(catalogue, Describer(describer.models, at_once=describer.at_once),
                        folder, make_workers=make_workers)  # fmt: skip
    importer.run(records)
    catalogue.engine.dispose()
    return importer


if __name__ == "__main__":
    main()
