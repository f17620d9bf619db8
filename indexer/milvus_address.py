"""A vectors' URL in, where Milvus is and how it is asked out; connects nowhere."""

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from indexer.errors import SettingsError

PORT = 19530  # Milvus's own
EXAMPLES = (
    "milvus+http://host:19530, milvus+https://user:password@host, milvus+file:///path/lapel.db"
)
# Each is compared with the exact search in tests/indexer/vectors/test_milvus_index.py. HNSW keeps
# what it finds
# under filters, because Milvus scans where few rows pass; IVF_SQ8 takes a quarter of its memory.
KINDS = ("FLAT", "HNSW", "IVF_SQ8")


@dataclass(frozen=True, slots=True)
class MilvusAddress:
    """Where Milvus is. `shown` is the URL as it may be told: without a password."""

    uri: str
    """For pymilvus: `http://host:port`, or the path of a milvus-lite file."""
    token: str = field(repr=False)
    database: str
    kind: str
    """How the vectors are indexed there: one of KINDS."""
    shown: str

    @property
    def is_file(self) -> bool:
        """Tell whether it is milvus-lite, inside this process."""
        return "://" not in self.uri


def read_address(url: str) -> MilvusAddress:
    """Read `milvus+http://[user:password@]host[:port][/database][?index=HNSW]`, or a file's.

    Raises SettingsError, which does not repeat a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SettingsError(f"the vectors' URL is none ({error}); expected {EXAMPLES}") from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    kind = options.pop("index", "FLAT" if parts.scheme == "milvus+file" else "HNSW").upper()
    if options:
        raise SettingsError(f"vectors' URL: unknown option {', '.join(options)}; there is index=")
    if kind not in KINDS:
        raise SettingsError(f"vectors' URL: index={kind}; expected one of {', '.join(KINDS)}")
    if parts.scheme == "milvus+file":
        path = unquote(parts.path)
        if parts.netloc or not path.endswith(".db") or not path.startswith("/"):
            raise SettingsError(
                "vectors' URL: a file is milvus+file:///, a whole path, and ends in .db"
            )
        return MilvusAddress(path, "", "", kind, f"milvus+file://{path}")
    if parts.scheme not in ("milvus+http", "milvus+https") or not parts.hostname:
        raise SettingsError(
            f"the vectors' URL begins with {parts.scheme or '?'}://; expected {EXAMPLES}"
        )
    database = unquote(parts.path.strip("/"))
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    uri = f"{parts.scheme.removeprefix('milvus+')}://{host}:{port or PORT}"
    token = ":".join(unquote(part) for part in (parts.username, parts.password) if part)
    return MilvusAddress(uri, token, database, kind, f"milvus+{uri}/{database}".rstrip("/"))
