"""Search and store a catalogue's vectors in Milvus, with the facts that it filters by.

One collection a catalogue, not a partition: catalogues differ in their vectors' length, and a
collection is dropped at once. It is named by the catalogue's uid, so a new one
stands beside the old. Several processes share it; `milvus_sync.py` keeps it equal to SQL.
"""

import time
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.errors import CatalogueError
from indexer.fused_vector import Ids
from indexer.settings import MilvusAddress
from indexer.system.batching import batches
from indexer.vectors.id_set import IdSet, Where
from indexer.vectors.milvus.client import GARMENT_FIELDS, READ_S, WRITE_S, MilvusServer, explained
from indexer.vectors.milvus.filter_fields import unknown_facts
from indexer.vectors.protocol import TOLERANCE, ExpressionSearch, Neighbours, Stamp, merge

CHUNK = 2_000  # rows a request: 6 MB of vectors; Milvus takes 64
MOST_IDS = 4_000  # in one expression: 40 kB, read in milliseconds
MOST_FOUND = 16_384  # Milvus's own bound of one search
# Among fewer, an index that is not exact finds 91 of 100; so many vectors, 3 MB, are fetched
# and scored here instead, which also takes no longer.
FEW_IDS = 1_000
# Milvus lets a search be 5 s old by default; after double that, the cheap way shows everything.
STALE_S = 10
NOTHING: Neighbours = (np.zeros(0, np.int64), np.zeros(0, np.float32))


class MilvusIndex:
    """A VectorIndex in Milvus, that also filters by the facts of the garments' items.

    Threads may share it. Every method raises VectorsUnreachable.
    """

    is_due = False
    """Whether a save is worth its time: Milvus stores each change at once."""

    def __init__(self, address: MilvusAddress, uid: str, dim: int) -> None:
        """Open the collection of a catalogue's uid, made where there is none of these dimensions.

        Raises SettingsError where pymilvus is not installed.
        """
        self.address = address
        self._server = MilvusServer(address)
        self.name = collection_name(uid)
        self._dim = dim
        self.stamp = Stamp()
        self.is_filling = False
        self._changed_at = time.monotonic()
        self._server.open(self.name, dim)
        self.read_stamp()

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._dim

    @property
    def is_exact(self) -> bool:
        """Whether a search scores every vector."""
        return self.address.kind == "FLAT"

    @property
    def expressions(self) -> ExpressionSearch:
        """Milvus's boolean expressions on the fields of `filter_fields.py`."""
        return ExpressionSearch("milvus", MOST_FOUND, self.is_exact)

    @property
    def is_lost(self) -> bool:
        """Whether the collection was found dropped: to be opened anew."""
        return self._server.is_lost

    def __len__(self) -> int:
        found = self._read("query", "count", filter="", output_fields=["count(*)"])
        return int(found[0]["count(*)"])

    def ids(self) -> Ids:
        """Return all ids, in no order; takes seconds for a million."""
        found: list[int] = []
        with explained(self.address, "list its rows"):
            pages = self._read(
                "query_iterator", "list its rows", filter="id >= 0", output_fields=["id"],
                batch_size=MOST_IDS,
            )  # fmt: skip
            try:
                while page := pages.next():
                    found.extend(row["id"] for row in page)
            finally:
                pages.close()
        return np.array(found, np.int64)

    def add(self, ids: Ids, vectors: NDArray[np.float32]) -> None:
        """Store vectors (n, d) under ids (n,), in place of any there; their facts are unknown."""
        self.put(ids, vectors, {})

    def put(
        self, ids: Ids, vectors: NDArray[np.float32], facts: Mapping[int, Mapping[str, Any]]
    ) -> None:
        """Store vectors (n, d) under ids (n,), in place of any there, with each one's facts.

        A fact `slot` is the garment's; the others are as in
        indexer/vectors/milvus/filter_fields.py.
        """
        unknown = {"slot": "unknown", **unknown_facts()}
        rows = (
            {"id": i, "vector": vector, **unknown, **facts.get(i, {})}
            for i, vector in zip(ids.tolist(), np.asarray(vectors, np.float32), strict=True)
        )
        for some in batches(rows, CHUNK):
            self._server.call("upsert", "store vectors", self.name, WRITE_S, data=some)
        self._changed_at = time.monotonic()

    def remove(self, ids: Collection[int]) -> None:
        """Forget these ids; those not stored are passed over."""
        for some in batches((int(i) for i in ids), MOST_IDS):
            self._server.call("delete", "remove vectors", self.name, WRITE_S, ids=some)
        self._changed_at = time.monotonic()

    def get(self, ids: Ids) -> NDArray[np.float32]:
        """Return the vectors (n, d) of stored ids (n,). Raises CatalogueError for others."""
        found = self._found(ids)
        if missing := [i for i in ids.tolist() if i not in found]:
            raise CatalogueError(
                f"{len(missing)} vectors are not in Milvus, the first is {missing[0]}; see "
                "`lapel doctor`"
            )
        rows = [found[i] for i in ids.tolist()]
        return np.array(rows, np.float32).reshape(-1, self.dim)

    def _found(self, ids: Ids) -> dict[int, Any]:
        return {
            row["id"]: row["vector"]
            for some in batches(ids.tolist(), CHUNK)
            for row in self._read("get", "give vectors", ids=some, output_fields=["vector"])
        }

    def facts(self, ids: Ids) -> dict[int, Mapping[str, Any]]:
        """Return what is kept of the garments' items, by id; of ids not stored, nothing."""
        fields = [field for field, _, _ in GARMENT_FIELDS]
        return {
            row["id"]: row
            for some in batches(ids.tolist(), CHUNK)
            for row in self._read("get", "give facts", ids=some, output_fields=fields)
        }

    def differing(self, ids: Ids, vectors: NDArray[np.float32]) -> int:
        """Count the stored ids (n,) whose vector differs from the given one, (n, d)."""
        return int((np.abs(self.get(ids) - vectors).max(axis=1, initial=0) > TOLERANCE).sum())

    def search(self, query: NDArray[np.float32], k: int, where: Where = None) -> Neighbours:
        """Return the k best ids and scores for a query (d,), only from `where` when given.

        With an expression at most MOST_FOUND. Milvus takes no filter of very many ids: then more
        vectors are asked for, and those among the ids are taken.
        """
        if isinstance(where, str):
            return self._search_where(query, k, where)
        if where is None and k <= MOST_FOUND:
            return self._search_where(query, k, "")
        members = IdSet.of(self.ids() if where is None else where).ids
        k = min(k, len(members))
        if len(members) <= FEW_IDS and not self.is_exact:
            found = self._found(members)  # without those that are in SQL only, as yet
            rows = np.array(list(found.values()), np.float32).reshape(-1, self.dim)
            return merge([(np.array(list(found), np.int64), rows @ query)], k)
        asked = 4 * k
        while len(members) > MOST_IDS:
            ids, scores = self._search_where(query, asked, "")
            is_in = np.isin(ids, members)
            if is_in.sum() >= k or len(ids) < min(asked, MOST_FOUND):
                return ids[is_in][:k], scores[is_in][:k]
            if asked >= MOST_FOUND:
                break
            asked *= 4
        pieces = batches(members.tolist(), MOST_IDS)
        among = [self._search_where(query, k, f"id in {some}") for some in pieces]
        return merge([NOTHING, *among], k)

    def _search_where(self, query: NDArray[np.float32], k: int, where: str) -> Neighbours:
        """Return the k best ids and scores for a query (d,) where an expression holds."""
        if k <= 0:
            return NOTHING
        k = min(k, MOST_FOUND)
        # Strong waits for the cluster's clock, which only a reader of a new row needs.
        is_fresh = time.monotonic() - self._changed_at < STALE_S
        (hits,) = self._read(
            "search", "search", data=[np.asarray(query, np.float32)], limit=k, filter=where,
            anns_field="vector", output_fields=["id"], search_params=self._search_params(k),
            consistency_level="Strong" if is_fresh else "Bounded",
        )  # fmt: skip
        ids = np.array([hit["id"] for hit in hits], np.int64)
        return ids, np.array([hit["distance"] for hit in hits], np.float32)

    def save(self) -> None:
        """Do nothing: Milvus stores each change at once, and its stamp with it."""

    def read_stamp(self) -> None:
        """Read up to where the collection follows SQL; another process may have brought it on."""
        before = self.stamp
        row = self._server.read_stamp(self.name)
        self.stamp = Stamp(row["revision"], row["last_id"]) if row else Stamp()
        self.is_filling = bool(row and row["is_filling"])
        if self.stamp != before:
            self._changed_at = time.monotonic()

    def write_stamp(self, stamp: Stamp, is_filling: bool = False) -> None:
        """Store up to where the collection follows SQL, for all; the caller holds the lock."""
        row = {"revision": stamp.revision, "last_id": stamp.last_id, "is_filling": is_filling}
        self._server.write_stamp(self.name, row)
        self.stamp, self.is_filling = stamp, is_filling

    def _search_params(self, k: int) -> dict[str, Any]:
        # As wide as finds 98 of 100, under filters too: tests/indexer/vectors/test_milvus_index.py.
        wide = {"HNSW": {"ef": min(max(4 * k, 400), 32_768)}, "IVF_SQ8": {"nprobe": 64}}
        return {"metric_type": "IP", "params": wide.get(self.address.kind, {})}

    def _read(self, method: str, what: str, **options: Any) -> Any:
        options.setdefault("consistency_level", "Strong")
        return self._server.call(method, what, self.name, READ_S, **options)


def collection_name(uid: str) -> str:
    """Return the name of a catalogue's collection: as this version of Lapel fills it."""
    return f"lapel_1_{uid}"
