"""Compare recall against queries a second of our index and of other engines on a million garments.

    python -m benchmarks.million.compare_engines [--garments 1000000]
        [--engines lapel hnswlib usearch
        faiss-hnsw faiss-ivf] [--rounds 3] [--build-threads 2] [--out runs/speed_vectors]

Street photos ask, with colour's weight from 0 to 1, one query at a time on one thread, among all
and under filters that let through 50 %, 5 % and 0.1 %. The truth is every vector's exact score.
Engines take turns, each in a process and an environment of its own, all with their indexes loaded:
a million take about 14 GB together. Prints a Markdown table (at the least effort that reaches a
recall@10 of 0.98), writes JSON and a picture.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.million.engines import ENGINES, PIECE, K
from benchmarks.million.real_garments import real_garments
from benchmarks.million.vectors import stored_vectors
from benchmarks.speed.peers.environments import PeerUnavailable, Timed, peer_python, version_of
from benchmarks.speed.plots import saved_figure

ROOT = Path(__file__).parents[2]
PACKAGES: Mapping[str, tuple[str, ...]] = {
    "hnswlib": ("hnswlib", "numpy"),
    "usearch": ("usearch", "numpy"),
    "faiss-hnsw": ("faiss-cpu", "numpy"),
    "faiss-ivf": ("faiss-cpu", "numpy"),
}
SHARES = (1.0, 0.5, 0.05, 0.001)
RECALL = 0.98
Ids = NDArray[np.int64]
Key = TypeVar("Key", float, str)


def main() -> None:
    """Build and measure what was asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks.million.compare_engines", description=__doc__)
    parser.add_argument("--garments", type=int, default=1_000_000)
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--build-threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "speed_vectors")
    options = parser.parse_args()
    work = options.out / str(options.garments)
    right = prepare(work, options.garments)
    rows = measure(work, options.engines, options.rounds, options.build_threads, right)
    (options.out / f"{options.garments}.json").write_text(json.dumps(rows, indent=1), "utf-8")
    draw(rows, options.out / f"{options.garments}.png", options.garments)
    print(report(rows, options.garments))


def prepare(work: Path, n: int) -> dict[float, Ids]:
    """Write vectors, queries and filters for the engines; returns the right ids (m, K) by share."""
    work.mkdir(parents=True, exist_ok=True)
    vectors, asked = stored_vectors(n)
    layout = real_garments().layout
    weights = [{"colour": weight} for weight in np.linspace(0, 1, len(asked))]
    queries = np.stack([layout.weigh(v, w) for v, w in zip(asked, weights, strict=True)])
    allowed = by_chance(n, np.random.default_rng(0))
    np.save(work / "queries.npy", queries)
    kept: dict[str, Any] = {
        str(share): np.zeros(0) if ids is None else ids for share, ids in allowed.items()
    }
    np.savez(work / "allowed.npz", **kept)
    target = work / "vectors.npy"
    if not target.is_file():
        np.save(target, vectors)
    return exact(vectors, queries, allowed)


def by_chance(n: int, rng: np.random.Generator) -> dict[float, Ids | None]:
    """Return who of n passes a filter, by the share of them that does; None are all."""
    return {
        share: None if share == 1 else np.flatnonzero(rng.random(n) < share) for share in SHARES
    }


def exact(
    vectors: NDArray[np.float16], queries: NDArray[np.float32], allowed: Mapping[Key, Ids | None]
) -> dict[Key, Ids]:
    """Return the ids (m, K) with the best scores among those allowed, by share or name."""
    best = {share: (np.full((len(queries), K), -1), np.full((len(queries), K), -np.inf))
            for share in allowed}  # fmt: skip
    for at in tqdm(range(0, len(vectors), PIECE), desc="exact", unit="piece"):
        scores = queries @ vectors[at : at + PIECE].astype(np.float32).T
        for share, among in allowed.items():
            rows = np.arange(scores.shape[1])
            if among is not None:
                rows = among[(among >= at) & (among < at + PIECE)] - at
            ids = np.concatenate([best[share][0], np.tile(rows + at, (len(queries), 1))], axis=1)
            both = np.concatenate([best[share][1], scores[:, rows]], axis=1)
            first = np.argpartition(-both, K - 1, axis=1)[:, :K]
            best[share] = (np.take_along_axis(ids, first, 1), np.take_along_axis(both, first, 1))
    return {share: ids for share, (ids, _) in best.items()}


def measure(
    work: Path, engines: Sequence[str], rounds: int, threads: int, right: Mapping[float, Ids]
) -> list[dict[str, Any]]:
    """Build the engines, let them take turns, and return a row per engine, share and effort."""
    running: dict[str, tuple[Timed, int, str]] = {}
    passes: dict[str, list[list[dict[str, Any]]]] = {}
    try:
        for name in engines:
            try:
                running[name] = _start(name, work, threads)
            except PeerUnavailable as error:
                print(f"{name} is left out: {error}", file=sys.stderr)
        for _ in tqdm(range(rounds), desc="rounds", unit="round"):
            for name, (timed, _, _) in running.items():
                passes.setdefault(name, []).append(timed.ask()["details"])
        return [
            _row(name, timed, memory, version, [each[i] for each in passes[name]], work, right)
            for name, (timed, memory, version) in running.items()
            for i in range(len(passes[name][0]))
        ]
    finally:
        for timed, _, _ in running.values():
            timed.close()


def _start(name: str, work: Path, threads: int) -> tuple[Timed, int, str]:
    """Build an engine; returns its process, the bytes it holds then, and its version."""
    python, version = Path(sys.executable), "here"
    if name in PACKAGES:
        package = PACKAGES[name][0]
        python = peer_python(package, PACKAGES[name])
        version = version_of(python, package)
    folder = work / name
    folder.mkdir(exist_ok=True)
    many = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [str(python), "-m", "benchmarks.million.engines", name, str(folder),
               "--build-threads", str(threads)]  # fmt: skip
    timed = Timed(command, {**os.environ, **many, "PYTHONPATH": str(ROOT)})
    held = psutil.Process(timed._running.pid).memory_full_info()
    return timed, int(getattr(held, "uss", held.rss)), version


def _row(
    name: str,
    timed: Timed,
    memory: int,
    version: str,
    points: Sequence[Mapping[str, Any]],
    work: Path,
    right: Mapping[float, Ids],
) -> dict[str, Any]:
    first = points[0]
    found, truth = np.load(work / name / first["ids"]), right[first["share"]]
    hits = [np.isin(t[t >= 0], f).sum() for t, f in zip(truth, found, strict=True)]
    return {
        "engine": name, "version": version, "share": first["share"], "effort": first["effort"],
        "recall": float(sum(hits) / max(1, (truth >= 0).sum())),
        "qps": 1e3 / float(np.median([each["mean_ms"] for each in points])),
        "p50_ms": float(np.median([each["p50_ms"] for each in points])),
        "build_s": timed.said["build_s"], "memory_mb": memory / 1e6,
    }  # fmt: skip


def report(rows: Sequence[Mapping[str, Any]], n: int) -> str:
    """Return the table: each engine at its least effort that reaches the recall, by share."""
    lines = [
        f"| {n:,} garments, one thread | build s | own memory MB | "
        + " | ".join(f"{100 * share:g} % pass: recall@10, p50 ms" for share in SHARES) + " |",
        "|" + "---|" * (3 + len(SHARES)),
    ]  # fmt: skip
    for name in dict.fromkeys(row["engine"] for row in rows):
        own = [row for row in rows if row["engine"] == name]
        cells = [_cell([row for row in own if row["share"] == share]) for share in SHARES]
        head = (
            f"{name} {own[0]['version']}",
            f"{own[0]['build_s']:.0f}",
            f"{own[0]['memory_mb']:.0f}",
        )
        lines.append(f"| {' | '.join([*head, *cells])} |")
    return "\n".join(lines)


def _cell(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "no filter"
    good = [row for row in rows if row["recall"] >= RECALL]
    if good:
        row = min(good, key=lambda each: each["p50_ms"])
        return f"{row['recall']:.3f}, {row['p50_ms']:.2f}"
    row = max(rows, key=lambda each: each["recall"])
    return f"only {row['recall']:.3f}, {row['p50_ms']:.2f}"


def draw(rows: Sequence[Mapping[str, Any]], path: Path, n: int) -> None:
    """Draw recall against queries a second, a panel a filter."""
    with saved_figure(path, 4 * len(SHARES), 3.6, 1, len(SHARES)) as grid:
        for share, axes in zip(SHARES, grid[0], strict=True):
            for name in dict.fromkeys(row["engine"] for row in rows):
                own = [row for row in rows if (row["engine"], row["share"]) == (name, share)]
                recalls, rates = [row["recall"] for row in own], [row["qps"] for row in own]
                axes.plot(recalls, rates, "o-", label=name)
            title = f"{n:,} garments, {100 * share:g} % pass"
            axes.set(title=title, xlabel="recall@10", yscale="log")
            axes.axvline(RECALL, color="grey", lw=0.8)
        grid[0, 0].set_ylabel("queries a second, one thread")
        grid[0, 0].legend()


if __name__ == "__main__":
    main()
