"""Talk to Milvus: make and fill Lapel's collections, and raise its errors as ours.

A small collection of stamps says up to where each other collection follows SQL.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from typing import Any

from indexer.errors import SettingsError, VectorsUnreachable
from indexer.settings import MilvusAddress
from indexer.vectors.milvus.filter_fields import OWN_WORDS, WORD_BYTES, WORDS

STAMPS = "lapel_stamps"
CONNECT_S = 5  # as long as a shopper may wait to hear that nothing is found now
READ_S = 20  # a search among a million takes milliseconds; a cluster that is busy, seconds
WRITE_S = 120  # a large catalogue's collection is loaded, or 2,000 rows are written
NOT_FOUND, NOT_LOADED = 100, 101  # Milvus's codes of a collection's errors

Field = tuple[str, str, Mapping[str, Any]]
"""A field's name, Milvus's type, and what more the type needs."""
_WORD: Mapping[str, Any] = {"max_length": WORD_BYTES}
GARMENT_FIELDS: Sequence[Field] = (
    ("id", "INT64", {}),
    *((field, "VARCHAR", _WORD) for field in ("slot", *WORDS.values())),
    ("own", "ARRAY", {**_WORD, "element_type": "VARCHAR", "max_capacity": OWN_WORDS}),
    ("price_low", "DOUBLE", {}),
    ("price_high", "DOUBLE", {}),
    ("is_unpriced", "BOOL", {}),
)
_STAMP_FIELDS: Sequence[Field] = (
    ("name", "VARCHAR", {"max_length": 100}),
    ("revision", "INT64", {}),
    ("last_id", "INT64", {}),
    ("is_filling", "BOOL", {}),
)
# HNSW's usual width, and lists of the thousands that a scan of one takes well under a millisecond.
_BUILT: Mapping[str, Mapping[str, int]] = {
    "HNSW": {"M": 16, "efConstruction": 200},
    "IVF_SQ8": {"nlist": 256},
}
# gRPC's own pauses grow to two minutes: so long a Milvus that is back would not be found.
_RECONNECT = {"grpc.initial_reconnect_backoff_ms": 200, "grpc.max_reconnect_backoff_ms": 1_000}


class MilvusServer:
    """A Milvus, and what Lapel asks of it. Every method raises VectorsUnreachable."""

    def __init__(self, address: MilvusAddress) -> None:
        """Connect. Raises SettingsError where pymilvus is not installed."""
        self.address = address
        self.is_lost = False  # a collection that was there was dropped by somebody
        self._client = _connect(address)

    def call(self, method: str, what: str, name: str, timeout_s: float, **options: Any) -> Any:
        """Call pymilvus's client for a collection; `what` says in an error what was wanted."""
        from pymilvus.exceptions import MilvusException

        asked = partial(getattr(self._client, method), name, timeout=timeout_s, **options)
        with explained(self.address, what):
            try:
                return asked()
            except MilvusException as error:
                self.is_lost |= error.code == NOT_FOUND
                if error.code != NOT_LOADED:
                    raise
                # A file's server forgets what was loaded when it ends, and anybody may release.
                self._client.load_collection(name, timeout=WRITE_S)
                return asked()

    def open(self, name: str, dim: int) -> None:
        """Make a catalogue's collection ready, empty where there is none that fits."""
        self._open_stamps()
        if self.call("has_collection", "answer", name, CONNECT_S):
            told = self.call("describe_collection", "describe a collection", name, CONNECT_S)
            if _shape(told) == {
                **{field: kind for field, kind, _ in GARMENT_FIELDS},
                "vector": dim,
            }:
                self.call("load_collection", "load a collection", name, WRITE_S)
                return
            self.call("drop_collection", "drop a collection", name, WRITE_S)
        # Of a collection that somebody dropped, the stamp may still be there.
        self.call("delete", "forget a stamp", STAMPS, WRITE_S, ids=[name])
        self._create(name, dim, GARMENT_FIELDS, self.address.kind)

    def drop(self, name: str) -> None:
        """Drop a catalogue's collection, if there is one."""
        self._open_stamps()
        self.call("drop_collection", "drop a collection", name, WRITE_S)
        self.call("delete", "forget a stamp", STAMPS, WRITE_S, ids=[name])

    def read_stamp(self, name: str) -> Mapping[str, Any] | None:
        """Return a collection's stamp: `revision`, `last_id`, `is_filling`; None without one."""
        rows = self.call(
            "query", "say what it has", STAMPS, CONNECT_S, filter=f'name == "{name}"',
            output_fields=["revision", "last_id", "is_filling"], consistency_level="Strong",
        )  # fmt: skip
        return next(iter(rows), None)

    def write_stamp(self, name: str, stamp: Mapping[str, Any]) -> None:
        """Store a collection's stamp in place of any there."""
        row = {"name": name, "vector": [0.0, 0.0], **stamp}
        self.call("upsert", "store a stamp", STAMPS, WRITE_S, data=[row])

    def _open_stamps(self) -> None:
        if not self.call("has_collection", "answer", STAMPS, CONNECT_S):
            with suppress(VectorsUnreachable):  # another process may just have made it
                # Milvus has no collection without a vector: one of the shortest.
                self._create(STAMPS, 2, _STAMP_FIELDS, "FLAT")
        self.call("load_collection", "load a collection", STAMPS, WRITE_S)

    def _create(self, name: str, dim: int, fields: Sequence[Field], kind: str) -> None:
        """Make a collection of a vector and fields, of which the first is the key."""
        from pymilvus import DataType, MilvusClient

        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        index = MilvusClient.prepare_index_params()
        built = _BUILT.get(kind, {})
        index.add_index("vector", index_type=kind, metric_type="IP", params=dict(built))
        for position, (field, scalar, options) in enumerate(fields):
            told = dict(options)
            if "element_type" in told:
                told["element_type"] = DataType[told["element_type"]]
            schema.add_field(field, DataType[scalar], is_primary=position == 0, **told)
            # A file's rows are few, and pymilvus waits half a second for each index.
            if position and scalar == "VARCHAR" and not self.address.is_file:
                index.add_index(field, index_type="INVERTED")
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dim)
        self.call(
            "create_collection", "make a collection", name, WRITE_S,
            schema=schema, index_params=index, consistency_level="Strong",
        )  # fmt: skip


@contextmanager
def explained(address: MilvusAddress, what: str) -> Iterator[None]:
    """Raise VectorsUnreachable for whatever Milvus, or the way to it, says."""
    from grpc import RpcError
    from pymilvus.exceptions import MilvusException

    try:
        yield
    except (MilvusException, RpcError, OSError) as error:
        said = getattr(error, "message", "") or str(error) or type(error).__name__
        raise VectorsUnreachable(
            f"Milvus at {address.shown} did not {what}: {str(said).splitlines()[0][:200]}; start "
            "it, or see what LAPEL_VECTORS_URL says. Nothing is lost: the vectors are in the "
            "database too, and Milvus is brought up to it when it answers"
        ) from error


@cache
def _connect(address: MilvusAddress) -> Any:
    """Return the process's client, which threads share and which connects again by itself."""
    try:
        from pymilvus import MilvusClient
    except ImportError as error:
        raise SettingsError(
            f"the vectors are in {address.shown}, and that needs pymilvus; install it with: "
            "pip install 'lapel[milvus]', or unset LAPEL_VECTORS_URL to keep them in the home"
        ) from error
    # What goes wrong is raised as an error of ours; its own log repeats it with a stack.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    if address.is_file:  # its server is in this process, and logs what it need not know
        logging.getLogger("grpc._server").setLevel(logging.CRITICAL)
    with explained(address, "answer"):
        return MilvusClient(
            address.uri, token=address.token, db_name=address.database, timeout=CONNECT_S,
            grpc_options=_RECONNECT,
        )  # fmt: skip


def _shape(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return a described collection's fields: their types' names, the vector's dimensions."""
    return {
        field["name"]: int(field["params"].get("dim", 0)) or field["type"].name
        for field in told["fields"]
    }
