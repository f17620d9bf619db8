"""Time what our index takes to open, search, change and save a million garments.

    python -m benchmarks.million.search [--garments 1000000] [--effort 10000]
        [--rounds 3] [--out runs/search_million]

Street photos ask on one thread, with colour's weight 0, its default and 1, under filters that let
all pass, 50 %, 5 % and 0.1 % by chance, and the 5 % that are most like one garment. Recall@10 is of
fifty candidates after their exact scores, against every vector's. Prints a Markdown table, writes
JSON. `benchmarks.million.compare_engines` draws the curves.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import psutil

from benchmarks.million.compare_engines import ROOT, Ids, by_chance, exact
from benchmarks.million.real_garments import real_garments
from benchmarks.million.vectors import stored_vectors
from indexer.fused_vector import DEFAULT_WEIGHTS
from indexer.system.sealed_files import read_checksummed
from indexer.vectors.id_set import IdSet
from indexer.vectors.ivf_build import PIECE, VectorSource, build
from indexer.vectors.ivf_index import EFFORT, IvfIndex
from indexer.vectors.protocol import CANDIDATES, Stamp

CHANGED = 1_000  # garments that come and go
ALIKE = 0.05  # the share of what is most like one garment: as shoes alone for a shirt
COLOURS = (0.0, DEFAULT_WEIGHTS["colour"], 1.0)


def main() -> None:
    """Build the index if it is not there, and measure it."""
    parser = argparse.ArgumentParser(prog="benchmarks.million.search", description=__doc__)
    parser.add_argument("--garments", type=int, default=1_000_000)
    parser.add_argument("--effort", type=int, default=EFFORT)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "search_million")
    options = parser.parse_args()
    file = options.out / f"ivf8-{options.garments}.faiss"
    options.out.mkdir(parents=True, exist_ok=True)
    if not file.is_file():
        _build(file, options.garments)
    faiss.omp_set_num_threads(1)
    rows = measure(file, options.garments, options.effort, options.rounds)
    file.with_suffix(".json").write_text(json.dumps(rows, indent=1), "utf-8")
    print(report(rows, options.garments))


def _build(file: Path, n: int) -> None:
    vectors, _ = stored_vectors(n)
    source = VectorSource(
        vectors.shape[1],
        np.arange(n),
        lambda some: vectors[some].astype(np.float32),
        Stamp(1, n - 1),
        real_garments().layout.sorting_runs(),
    )
    start = time.perf_counter()
    build(file, source)
    print(f"built in {time.perf_counter() - start:.0f} s")


def measure(file: Path, n: int, effort: int, rounds: int) -> dict[str, Any]:
    """Return what opening, searches, changes and a save of a file of n vectors take."""
    vectors, asked = stored_vectors(n)
    layout = real_garments().layout
    start = time.perf_counter()
    index = IvfIndex(file, *read_checksummed(file))
    opened = time.perf_counter() - start
    index.effort = effort
    chosen = _filters(vectors)
    alloweds = {name: None if ids is None else IdSet.of(ids) for name, ids in chosen.items()}
    searches = []
    for colour in COLOURS:
        queries = np.stack([layout.weigh(each, {"colour": colour}) for each in asked])
        right = exact(vectors, queries, chosen)
        for name, allowed in alloweds.items():
            hits, took = [], []
            for _ in range(rounds):
                for query, best in zip(queries, right[name], strict=True):
                    start = time.perf_counter()
                    found, _ = index.search(query, CANDIDATES, allowed)
                    took.append(time.perf_counter() - start)
                    ids = np.sort(found)
                    scores = vectors[ids].astype(np.float32) @ query
                    hits.append(np.isin(ids[np.argsort(-scores)[:10]], best).sum() / len(best))
            searches.append({"colour": colour, "filter": name, "recall": float(np.mean(hits)),
                             "p50_ms": float(np.median(took)) * 1e3,
                             "p99_ms": float(np.quantile(took, 0.99)) * 1e3})  # fmt: skip
    memory = psutil.Process().memory_full_info()
    return {"effort": effort, "open_s": opened, "file_mb": file.stat().st_size / 1e6,
            "rss_mb": memory.rss / 1e6, "own_mb": memory.uss / 1e6, "searches": searches,
            **_changes(index, vectors[:CHANGED].astype(np.float32), n)}  # fmt: skip


def _filters(vectors: Any) -> dict[str, Ids | None]:
    """Return who passes each filter, by its name; None are all."""
    rng = np.random.default_rng(0)
    chosen = {f"{100 * share:g} % pass": ids for share, ids in by_chance(len(vectors), rng).items()}
    one = vectors[rng.integers(len(vectors))].astype(np.float32)
    likeness = np.concatenate(
        [vectors[at : at + PIECE].astype(np.float32) @ one for at in range(0, len(vectors), PIECE)]
    )
    alike = np.flatnonzero(likeness >= np.quantile(likeness, 1 - ALIKE))
    return {**chosen, f"{100 * ALIKE:g} % that are alike": alike}


def _changes(index: IvfIndex, vectors: Any, n: int) -> dict[str, float]:
    """Time what comes, goes and is saved; the file is then again what was built."""
    works: dict[str, Callable[[], None]] = {
        "add_s": lambda: index.add(np.arange(n, n + len(vectors)), vectors),
        "remove_s": lambda: index.remove(range(CHANGED)),
        "save_s": index.save,
    }
    took = {}
    for name, work in works.items():
        start = time.perf_counter()
        work()
        took[name] = time.perf_counter() - start
    index.remove(range(n, n + CHANGED))
    index.add(np.arange(len(vectors)), vectors)
    index.save()
    return took


def report(rows: dict[str, Any], n: int) -> str:
    """Return the table and what stands beside it."""
    names = list(dict.fromkeys(row["filter"] for row in rows["searches"]))
    lines = [f"| {n:,} garments, recall@10 and p50 (p99) ms | {' | '.join(names)} |",
             "|" + "---|" * (1 + len(names))]  # fmt: skip
    for colour in COLOURS:
        own = [row for row in rows["searches"] if row["colour"] == colour]
        cells = [f"{r['recall']:.3f}, {r['p50_ms']:.2f} ({r['p99_ms']:.2f})" for r in own]
        lines.append(f"| colour's weight {colour:g} | {' | '.join(cells)} |")
    lines.append(
        f"\nEffort {rows['effort']}; opened in {rows['open_s']:.2f} s; {CHANGED} added in "
        f"{1e3 * rows['add_s']:.1f} ms, removed in {1e3 * rows['remove_s']:.1f} ms, saved in "
        f"{rows['save_s']:.1f} s; file {rows['file_mb']:.0f} MB; the "
        f"process holds {rows['rss_mb']:.0f} MB with mapped pages, {rows['own_mb']:.0f} of its own."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
