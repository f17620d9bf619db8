"""Measure what catalogues of growing size cost to open, search and write, and the exponent.

    python -m benchmarks.million.growth [--sizes 1000 10000 100000 1000000]
        [--seed 0] [--homes FOLDER]

A table, JSON and a picture. The rows and vectors are those of `catalogue.py`, kept under
`runs/big`; each size is measured in a process of its own, as the product does it: `Catalogue.open`
with its vectors, `Searcher`, `Catalogue.write` of items as an import writes them, 32 at a time, the
saving of the vectors at an import's end, and `delete`. What is written is deleted again. The last
row is the exponent of a power law fitted to each column: 0 stays as it is, 1 grows with the size.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.million.catalogue import big_catalogue
from benchmarks.million.vectors import fused_vectors
from benchmarks.speed.plots import saved_figure
from benchmarks.speed.sync import Idle
from indexer.catalogue.catalogue import Catalogue
from indexer.colour.palette import PaletteColour
from indexer.description.describe import DescribedGarment, Describer
from indexer.feeds.reading.record import ItemRecord
from indexer.ingest.importer import ITEMS_A_BATCH
from indexer.models.attribute_heads import AttributeHeads
from indexer.models.loading import Models
from indexer.settings import Settings
from indexer.storage.item_rows import ItemWrite, PhotoWrite
from search.evaluation.bootstrap import table
from search.filters.conditions import Filters
from search.query.options import Options
from search.searcher import Searcher

WORK = Path("runs") / "growth"
SIZES = (1_000, 10_000, 100_000, 1_000_000)
BATCHES = 10  # of written items, two garments each: 640
SEARCHES = 50  # of different garments; the first, which reads from the disk, is not counted
FILTER = "price<=5"  # passes 5 %: prices are spread evenly from 0 to 100
COLUMNS: Mapping[str, tuple[str, str]] = {  # by name: the head, and how a value is shown
    "open_s": ("open, s", "{:.2f}"),
    "search_ms": ("search, ms", "{:.1f}"),
    "filtered_ms": (f"search {FILTER}, ms", "{:.1f}"),
    "write_ms": ("write, ms a garment", "{:.2f}"),
    "save_s": ("save vectors, s", "{:.2f}"),
    "delete_ms": ("delete, ms a garment", "{:.2f}"),
    "memory_mb": ("memory for the vectors, MB", "{:.0f}"),
    "disk_bytes": ("disk, bytes a garment", "{:.0f}"),
}
Costs = dict[str, float]


class Named(Models):
    """Models that are never asked, under the name that a catalogue has for its own."""

    name = ""

    @property
    def fingerprint(self) -> str:
        """The catalogue's."""
        return self.name


def main() -> None:
    """Print the table; write JSON and a picture."""
    parser = argparse.ArgumentParser(prog="benchmarks.million.growth", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--homes", type=Path, default=Path("runs") / "big")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.homes / f"{given.one}-{given.seed}", given.one, given.seed)))
        return
    found: dict[int, Costs] = {}
    for size in sorted(given.sizes):
        big_catalogue(size, given.seed, given.homes / f"{size}-{given.seed}")
        found[size] = _in_its_own_process(size, given.seed, given.homes)
        print(f"{size}: {found[size]}", file=sys.stderr, flush=True)
    exponents = {name: exponent(list(found), [c[name] for c in found.values()]) for name in COLUMNS}
    WORK.mkdir(parents=True, exist_ok=True)
    said = {"seed": given.seed, "costs": found, "exponents": exponents}
    (WORK / "growth.json").write_text(json.dumps(said, indent=1), "utf-8")
    draw(found, exponents, WORK / "growth.png")
    print(f"{report(found, exponents)}\n\nwritten: {WORK / 'growth.json'}, {WORK / 'growth.png'}")


def measure(home: Path, size: int, seed: int) -> Costs:
    """Return what a catalogue of so many garments costs, in this process, which opens it first."""
    queries = fused_vectors(1, seed)[1][: SEARCHES + 1]
    before = psutil.Process().memory_info().rss
    start = time.perf_counter()
    catalogue = Catalogue.open(Settings(home=home))
    _ = len(catalogue.vectors)
    opened = time.perf_counter() - start
    models = Named(Idle(), Idle(), AttributeHeads([]))
    object.__setattr__(models, "name", catalogue.row().fingerprint)
    searcher = Searcher(catalogue, Describer(models))
    costs = {
        "open_s": opened,
        "search_ms": _search_ms(searcher, queries, Options()),
        "filtered_ms": _search_ms(searcher, queries, Options(filters=Filters.parse([FILTER]))),
        "memory_mb": (psutil.Process().memory_info().rss - before) / 1e6,
        "disk_bytes": sum(file.stat().st_size for file in _files(home)) / size,
    }
    return costs | _write_and_delete(catalogue, queries)


def _files(home: Path) -> list[Path]:
    """Return what grows with a catalogue; not the models' cache."""
    return [*home.glob("lapel.sqlite*"), *(home / "vectors").iterdir()]


def _search_ms(searcher: Searcher, queries: NDArray[np.float32], options: Options) -> float:
    def search(vector: NDArray[np.float32]) -> float:
        return _seconds(lambda: searcher.search_vector(vector, None, options))

    return 1000 * statistics.median([search(vector) for vector in queries][1:])


def _write_and_delete(catalogue: Catalogue, vectors: NDArray[np.float32]) -> Costs:
    made = [_item(number, vectors) for number in range(BATCHES * ITEMS_A_BATCH)]
    garments = sum(len(item.photos) for item in made)
    some = [made[i : i + ITEMS_A_BATCH] for i in range(0, len(made), ITEMS_A_BATCH)]
    with catalogue.writing():
        wrote = [_seconds(lambda part=part: catalogue.write(part)) for part in some]  # type: ignore[misc]
        saved = _seconds(catalogue.save_vectors)
    ids = [item.record.item_id for item in made]
    deleted = _seconds(lambda: catalogue.delete(ids))
    return {
        "write_ms": 1000 * statistics.median(wrote) * len(some) / garments,
        "save_s": saved,
        "delete_ms": 1000 * deleted / garments,
    }


def _item(number: int, vectors: NDArray[np.float32]) -> ItemWrite:
    """Return an item of two photos as an import would write it."""
    name = f"grown-{number}"
    record = ItemRecord(
        name, name, (f"{name}-0.jpg", f"{name}-1.jpg"), title="Cotton t-shirt", category="t-shirt",
        slot="top", brand="Brand 1", price=19.9, currency="EUR", availability="in_stock",
    )  # fmt: skip
    photos = tuple(
        PhotoWrite(
            address, f"{number * 2 + i:060x}abcd", (800, 600),
            (_garment(vectors[(2 * number + i) % len(vectors)]),), "top",
        )
        for i, address in enumerate(record.photos)
    )  # fmt: skip
    return ItemWrite(record, photos)


def _garment(vector: NDArray[np.float32]) -> DescribedGarment:
    return DescribedGarment(
        (800, 600), (800, 600), (120, 80, 480, 720), np.zeros((0, 0), np.bool_), "top", "t-shirt",
        0.9, False, vector, (PaletteColour("#101010", "black", 1.0),),
        {"category": {"t-shirt": 0.9}},
    )  # fmt: skip


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _in_its_own_process(size: int, seed: int, homes: Path) -> Costs:
    asked = ["--one", str(size), "--seed", str(seed), "--homes", str(homes)]
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "benchmarks.million.growth", *asked],
        stdout=subprocess.PIPE, text=True, check=True, env={**os.environ},
    )  # fmt: skip
    costs: Costs = json.loads(done.stdout.splitlines()[-1])
    return costs


def exponent(sizes: Sequence[int], costs: Sequence[float]) -> float | None:
    """Return x of the power law cost = c size^x that fits best, by logarithms; None of one size."""
    if len(sizes) < 2 or min(costs) <= 0:
        return None
    slope, _ = np.polyfit(np.log(sizes), np.log(costs), 1)
    return float(slope)


def report(found: Mapping[int, Costs], exponents: Mapping[str, float | None]) -> str:
    """Return the table: a row a size, and the exponents."""
    rows = [
        [f"{size:,}", *(shown.format(costs[name]) for name, (_, shown) in COLUMNS.items())]
        for size, costs in found.items()
    ]
    fitted = (exponents[name] for name in COLUMNS)
    rows.append(["exponent", *("" if x is None else f"{x:.2f}" for x in fitted)])
    return table(["garments", *(head for head, _ in COLUMNS.values())], rows)


def draw(found: Mapping[int, Costs], exponents: Mapping[str, float | None], path: Path) -> None:
    """Draw each column against the sizes, both in logarithms."""
    with saved_figure(path, 14, 6, 2, 4) as grid:
        for axes, (name, (head, _)) in zip(grid.flat, COLUMNS.items(), strict=True):
            costs = [each[name] for each in found.values()]
            axes.plot(list(found), costs, "o-")
            axes.set_xscale("log")
            if min(costs) > 0:  # of a small catalogue, memory may not grow at all
                axes.set_yscale("log")
            x = exponents[name]
            axes.set_title(head if x is None else f"{head}: n^{x:.2f}", fontsize=10)
            axes.set_xlabel("garments")
            axes.grid(alpha=0.3)


if __name__ == "__main__":
    main()
