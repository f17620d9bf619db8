"""Build the index of one engine and time its answers.

    python -m benchmarks.million.engines NAME FOLDER --build-threads 2

Run by `benchmarks.million.compare_engines` with the Python of the engine's environment: nothing of
ours is imported, except for our own engine. Each engine answers one query at a time on one thread.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.peers.process_timing import serve

K, CANDIDATES = 10, 50
PIECE = 20_000
Ask = Callable[[Any], Any]  # a query (dim,) -> ids (k,)


@dataclass(frozen=True)
class Given:
    """What `speed_vectors` wrote: vectors (n, dim) float16, queries (m, dim), allowed by share."""

    folder: Path
    vectors: Any
    queries: Any
    allowed: Mapping[float, Any]
    threads: int

    def pieces(self) -> Iterator[tuple[Any, Any]]:
        """Yield rows' numbers and their vectors in float32."""
        for at in range(0, len(self.vectors), PIECE):
            piece = self.vectors[at : at + PIECE].astype(np.float32)
            yield np.arange(at, at + len(piece)), piece


class Engine:
    """An index; `efforts` are what its search may be told, `filters` whether it can filter."""

    efforts: Sequence[int]
    filters = True

    def ask(self, effort: int, allowed: Any) -> Ask:
        """Return how a query is answered; `allowed` are rows' numbers, or None."""
        raise NotImplementedError


class Lapel(Engine):
    """Ours: lists of 8-bit codes, then fifty candidates scored from the exact vectors."""

    efforts = (1_000, 2_000, 4_000, 8_000, 16_000, 32_000)

    def __init__(self, given: Given) -> None:
        import faiss

        from indexer.system.sealed_files import read_checksummed
        from indexer.vectors.ivf_build import VectorSource, build
        from indexer.vectors.ivf_index import IvfIndex
        from indexer.vectors.protocol import Stamp

        faiss.omp_set_num_threads(given.threads)
        ids = np.arange(len(given.vectors))
        exact = given.vectors
        from benchmarks.million.real_garments import real_garments

        runs = real_garments().layout.sorting_runs()
        source = VectorSource(
            exact.shape[1],
            ids,
            lambda some: exact[some].astype(np.float32),
            Stamp(1, len(ids)),
            runs if sum(length for length, _ in runs) == exact.shape[1] else (),
        )
        file = given.folder / "lapel.faiss"
        build(file, source)
        self._exact = exact
        self._index = IvfIndex(file, *read_checksummed(file))
        faiss.omp_set_num_threads(1)

    def ask(self, effort: int, allowed: Any) -> Ask:
        """Return the search and the exact scores after it, as a catalogue's search does."""
        from indexer.vectors.id_set import IdSet

        chosen = None if allowed is None else IdSet.of(allowed)

        def answer(query: Any) -> Any:
            found = np.sort(self._index.search(query, CANDIDATES, chosen)[0])
            return found[np.argsort(-(self._exact[found].astype(np.float32) @ query))[:K]]

        self._index.effort = effort
        return answer


class HnswLib(Engine):
    """hnswlib: float32, a graph; a filter is a Python function."""

    efforts = (16, 32, 64, 128, 256, 512)

    def __init__(self, given: Given) -> None:
        import hnswlib  # type: ignore[import-untyped]

        self._index = hnswlib.Index(space="ip", dim=given.vectors.shape[1])
        self._index.init_index(len(given.vectors), M=16, ef_construction=200)
        for ids, piece in given.pieces():
            self._index.add_items(piece, ids, num_threads=given.threads)

    def ask(self, effort: int, allowed: Any) -> Ask:
        """Return the search."""
        self._index.set_ef(effort)
        members = None if allowed is None else set(allowed.tolist())
        only = {} if members is None else {"filter": members.__contains__}

        def answer(query: Any) -> Any:
            try:
                return self._index.knn_query(query, k=K, num_threads=1, **only)[0][0]
            except RuntimeError:  # it found fewer than k
                return np.zeros(0, np.int64)

        return answer


class USearch(Engine):
    """usearch: float16, a graph; its Python search has no filter."""

    efforts = (16, 32, 64, 128, 256, 512)
    filters = False

    def __init__(self, given: Given) -> None:
        from usearch.index import Index  # type: ignore[import-not-found]

        self._index = Index(ndim=given.vectors.shape[1], metric="ip", dtype="f16")
        for ids, piece in given.pieces():
            self._index.add(ids, piece, threads=given.threads)

    def ask(self, effort: int, allowed: Any) -> Ask:
        """Return the search."""
        self._index.expansion_search = effort
        return lambda query: self._index.search(query, K, threads=1).keys


class Faiss(Engine):
    """Plain FAISS over float32; subclasses say which index."""

    index: Any
    search: Any  # the class of its search parameters

    def _fill(self, given: Given) -> None:
        import faiss

        for _, piece in given.pieces():
            self.index.add(piece)
        faiss.omp_set_num_threads(1)

    def ask(self, effort: int, allowed: Any) -> Ask:
        """Return the search."""
        import faiss

        options: dict[str, Any] = {self.told: effort}
        if allowed is not None:
            marks = np.zeros(self.index.ntotal, np.bool_)
            marks[allowed] = True
            selector = faiss.IDSelectorBitmap(np.packbits(marks, bitorder="little"))
            options["sel"] = selector
        parameters = self.search(**options)
        return lambda query: self.index.search(query[None], K, params=parameters)[1][0]

    told = ""


class FaissHnsw(Faiss):
    """IndexHNSWFlat."""

    efforts, told = (16, 32, 64, 128, 256, 512), "efSearch"

    def __init__(self, given: Given) -> None:
        import faiss

        faiss.omp_set_num_threads(given.threads)
        self.search = faiss.SearchParametersHNSW
        self.index = faiss.IndexHNSWFlat(given.vectors.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
        self.index.hnsw.efConstruction = 200
        self._fill(given)


class FaissIvf(Faiss):
    """IndexIVFFlat with as many lists as ours."""

    efforts, told = (2, 4, 8, 16, 32, 64, 128), "nprobe"

    def __init__(self, given: Given) -> None:
        import faiss

        faiss.omp_set_num_threads(given.threads)
        self.search = faiss.SearchParametersIVF
        n, dim = given.vectors.shape
        lists = max(1, min(round(4 * n**0.5), n // 39))
        coarse = faiss.IndexFlatIP(dim)
        self.index = faiss.IndexIVFFlat(coarse, dim, lists, faiss.METRIC_INNER_PRODUCT)
        rows = np.sort(np.random.default_rng(0).choice(n, min(n, 40 * lists), replace=False))
        self.index.train(given.vectors[rows].astype(np.float32))
        self._fill(given)


ENGINES: Mapping[str, type[Any]] = {
    "lapel": Lapel,
    "hnswlib": HnswLib,
    "usearch": USearch,
    "faiss-hnsw": FaissHnsw,
    "faiss-ivf": FaissIvf,
}


def ask_all(engine: Engine, given: Given) -> list[dict[str, Any]]:
    """Ask every query at every effort under every filter: the ids, and seconds in the mean."""
    points = []
    for share, allowed in given.allowed.items():
        if allowed is not None and not engine.filters:
            continue
        for effort in engine.efforts:
            ask = engine.ask(effort, allowed)
            ids = np.full((len(given.queries), K), -1, np.int64)
            ask(given.queries[0])  # pages and caches
            took = []
            for row, query in enumerate(given.queries):
                start = time.perf_counter()
                found = ask(query)
                took.append(time.perf_counter() - start)
                ids[row, : len(found)] = np.asarray(found).astype(np.int64)
            name = f"{share:g}-{effort}.npy"
            np.save(given.folder / name, ids)
            points.append({"share": share, "effort": effort, "ids": name,
                           "mean_ms": float(np.mean(took)) * 1e3,
                           "p50_ms": float(np.median(took)) * 1e3})  # fmt: skip
    return points


def read_given(folder: Path, threads: int) -> Given:
    """Read what `speed_vectors` wrote beside the engine's folder."""
    shares = np.load(folder.parent / "allowed.npz")
    return Given(
        folder,
        np.load(folder.parent / "vectors.npy", mmap_mode="r"),
        np.load(folder.parent / "queries.npy"),
        {float(key): (None if float(key) == 1 else shares[key]) for key in shares},
        threads,
    )


def main() -> None:
    """Build, say what it took, and answer once a line of standard input."""
    parser = argparse.ArgumentParser(prog="benchmarks.million.engines", description=__doc__)
    parser.add_argument("name", choices=list(ENGINES))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--build-threads", type=int, default=1)
    options = parser.parse_args()
    given = read_given(options.folder, options.build_threads)
    start = time.perf_counter()
    engine = ENGINES[options.name](given)
    serve(lambda: ask_all(engine, given), {"build_s": time.perf_counter() - start})


if __name__ == "__main__":
    main()
