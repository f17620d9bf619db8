"""All settings in one object, from `LAPEL_...` variables; built by main programs, passed down."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from indexer.errors import SettingsError

WEIGHTS = Path(__file__).parent / "weights"
MILVUS_PORT = 19530  # Milvus's own
VECTORS_URLS = (
    "milvus+http://host:19530, milvus+https://user:password@host, milvus+file:///path/lapel.db"
)
# Each is compared with the exact search in tests/indexer/vectors/test_milvus_index.py. HNSW keeps
# its recall under filters, because Milvus scans where few rows pass; IVF_SQ8 takes a quarter of
# its memory.
MILVUS_INDEXES = ("FLAT", "HNSW", "IVF_SQ8")


class Settings(BaseSettings):
    """What a shop may choose. Every field can be set as `LAPEL_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="LAPEL_", extra="ignore")

    home: Path = Path("~/.lapel")
    """Folder with the database, the vectors and `errors.csv`."""
    catalogue: str = "default"
    """Which of the home's catalogues."""
    database_url: str = ""
    """An SQLAlchemy address; empty means SQLite in the home."""
    read_database_url: str = ""
    """The address of a read replica of that database, for searches; empty means there is none."""
    vectors_url: str = ""
    """Where Milvus keeps the vectors (docs/guides/milvus.md); empty means a file in the home."""
    detector: str = ""
    """A detector folder, an ultralytics segmentation file, or the name of a pulled one; empty
    means the bundled one."""
    encoder: str = ""
    """`local-dir:FOLDER`, `hf-hub:OWNER/NAME`, `MODEL/PRETRAINED`, by preference as pulled into the
    home; empty means the bundled one."""
    attributes: str = ""
    """A folder of attribute heads; empty means those of the bundled encoder."""
    device: str = "auto"
    """Where models run: auto, cpu, cuda, cuda:N, mps."""
    runtime: Literal["auto", "torch", "openvino"] = "auto"
    """What runs them: OpenVINO on a CPU, torch elsewhere."""
    precision: Literal["auto", "fp32", "bf16", "int8"] = "auto"
    """In which numbers: the fastest that the device has, int8 only when asked for."""
    threads: int = Field(0, ge=0, le=1024)
    """How many threads a model takes; 0 means OMP_NUM_THREADS, else all cores given."""
    model_cache: Path | None = None
    """Folder of the models as compiled for the CPU; unset means `cache` in the home."""

    ray_address: str = ""
    """Of the Ray cluster that `--engine ray` works on: `ray://host:10001`, `host:6379`, `auto` for
    one that runs on this machine; empty means that it starts one here, for itself."""
    ray_workers: int = Field(0, ge=0, le=10_000)
    """How many workers; 0 means as many as its nodes have room for."""
    ray_cpus: int = Field(1, ge=1, le=1024)
    """How many CPUs of a node each worker takes: so many photos it describes at once."""
    ray_gpus: float = Field(0.0, ge=0, le=64)
    """How many GPUs of a node each worker takes: 0.5 puts two on one."""

    private_picture_hosts: str = ""
    """Hosts, separated by commas, that a feed's pictures are fetched from although they are not on
    the public internet: `media.shop.lan`. What is sent to the HTTP server never leads there."""
    picture_cache_bytes: int = Field(10_000_000_000, ge=0)
    """How much disk the fetched pictures may take in the home: 50,000 of 200 kB."""
    host_connections: int = Field(4, ge=1, le=64)
    """How many pictures are fetched from one host at once: less than a browser's six."""

    @field_validator("home")
    @classmethod
    def _expand(cls, home: Path) -> Path:
        try:
            return home.expanduser().absolute()
        except RuntimeError as error:
            raise ValueError(f"home {home}: {error}") from error

    @field_validator("catalogue")
    @classmethod
    def _is_a_plain_name(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
            raise ValueError(f"catalogue {name!r}: use letters, digits, '.', '_' and '-' only")
        return name

    @field_validator("vectors_url")
    @classmethod
    def _is_of_milvus(cls, url: str) -> str:
        if url:
            read_address(url)
        return url

    @property
    def private_hosts(self) -> frozenset[str]:
        """The names in `private_picture_hosts`."""
        names = (name.strip().lower() for name in self.private_picture_hosts.split(","))
        return frozenset(name for name in names if name)

    @property
    def model_cache_folder(self) -> Path:
        """Where exported models are kept."""
        return self.model_cache.expanduser().absolute() if self.model_cache else self.home / "cache"

    @property
    def resolved_database_url(self) -> str:
        """The database's address."""
        return self.database_url or f"sqlite:///{self.home / 'lapel.sqlite'}"

    @property
    def for_reading(self) -> "Settings":
        """These settings for who writes nothing: at the read replica's, where there is one."""
        url = self.read_database_url
        return self.model_copy(update={"database_url": url}) if url else self

    @property
    def is_of_replica(self) -> bool:
        """Whether these are settings for reading at a replica."""
        return bool(self.read_database_url) and self.database_url == self.read_database_url

    @property
    def models(self) -> dict[str, str]:
        """What names the models, for who is to load the same."""
        return {name: getattr(self, name) for name in ("detector", "encoder", "attributes")}


@dataclass(frozen=True, slots=True)
class MilvusAddress:
    """Where Milvus is. `shown` is its URL without a password, for messages."""

    uri: str
    """For pymilvus: `http://host:port`, or the path of a milvus-lite file."""
    token: str = field(repr=False)
    database: str
    kind: str
    """How the vectors are indexed there: one of MILVUS_INDEXES."""
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
        raise SettingsError(
            f"the vectors' URL cannot be read ({error}); expected {VECTORS_URLS}"
        ) from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    kind = options.pop("index", "FLAT" if parts.scheme == "milvus+file" else "HNSW").upper()
    if options:
        raise SettingsError(f"vectors' URL: unknown option {', '.join(options)}; there is index=")
    if kind not in MILVUS_INDEXES:
        raise SettingsError(
            f"vectors' URL: index={kind}; expected one of {', '.join(MILVUS_INDEXES)}"
        )
    if parts.scheme == "milvus+file":
        path = unquote(parts.path)
        if parts.netloc or not path.endswith(".db") or not path.startswith("/"):
            raise SettingsError(
                "vectors' URL: a file is milvus+file:///, a whole path, and ends in .db"
            )
        return MilvusAddress(path, "", "", kind, f"milvus+file://{path}")
    if parts.scheme not in ("milvus+http", "milvus+https") or not parts.hostname:
        raise SettingsError(
            f"the vectors' URL begins with {parts.scheme or '?'}://; expected {VECTORS_URLS}"
        )
    database = unquote(parts.path.strip("/"))
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    uri = f"{parts.scheme.removeprefix('milvus+')}://{host}:{port or MILVUS_PORT}"
    token = ":".join(unquote(part) for part in (parts.username, parts.password) if part)
    return MilvusAddress(uri, token, database, kind, f"milvus+{uri}/{database}".rstrip("/"))
