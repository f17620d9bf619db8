"""Read all settings from `LAPEL_...` variables into one object, which main programs pass down."""

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
    """The choices of a shop. Every field can be set as `LAPEL_<NAME>`.

    `docs/reference/settings.md` is made from the texts below the fields: `make docs`.
    """

    model_config = SettingsConfigDict(env_prefix="LAPEL_", extra="ignore")

    home: Path = Path("~/.lapel")
    """Folder with the database, the vectors and `errors.csv`."""
    catalogue: str = "default"
    """Name of the catalogue that commands read and write; a home can hold several."""
    database_url: str = ""
    """Database, as an SQLAlchemy URL; empty means SQLite in the home."""
    read_database_url: str = ""
    """Read replica of that database, for searches; empty means that there is none."""
    vectors_url: str = ""
    """URL of the Milvus that holds the vectors (docs/guides/milvus.md); empty means a file in the
    home."""
    detector: str = ""
    """Segmentation model: a detector folder, an ultralytics file, or the name of a pulled model;
    empty means the bundled one."""
    encoder: str = ""
    """Image and text encoder: `local-dir:FOLDER`, `hf-hub:OWNER/NAME` or `MODEL/PRETRAINED`; a copy
    pulled into the home is preferred; empty means the bundled one."""
    attributes: str = ""
    """Folder of attribute heads; empty means those of the bundled encoder."""
    device: str = "auto"
    """Device of the models: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`."""
    runtime: Literal["auto", "torch", "openvino"] = "auto"
    """Inference engine; `auto` means OpenVINO on a CPU and torch elsewhere."""
    precision: Literal["auto", "fp32", "bf16", "int8"] = "auto"
    """Numeric precision of the models; `auto` means the fastest that the device supports, but never
    int8."""
    threads: int = Field(0, ge=0, le=1024)
    """Threads per model; 0 means OMP_NUM_THREADS, or else all cores available to the process."""
    model_cache: Path | None = None
    """Folder of the models compiled for this CPU; unset means `cache` in the home."""

    ray_address: str = ""
    """Ray cluster for `--engine ray`: `ray://host:10001`, `host:6379`, or `auto` for a cluster that
    this machine is a node of; empty means that the command starts one on this machine."""
    ray_workers: int = Field(0, ge=0, le=10_000)
    """Number of Ray workers; 0 means as many as the nodes have room for."""
    ray_cpus: int = Field(1, ge=1, le=1024)
    """CPUs per Ray worker, which is also the number of photos that it describes at once."""
    ray_gpus: float = Field(0.0, ge=0, le=64)
    """GPUs per Ray worker; 0.5 lets two workers share one."""

    private_picture_hosts: str = ""
    """Comma-separated hosts outside the public internet from which a feed's pictures may be
    fetched, such as `media.shop.lan`. Requests to the HTTP server can never reach them."""
    picture_cache_bytes: int = Field(10_000_000_000, ge=0)
    """Disk space for fetched pictures in the home; the default holds 50,000 of 200 kB."""
    host_connections: int = Field(4, ge=1, le=64)
    """Pictures fetched from one host at the same time; the default is below a browser's six."""

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
        """These settings for reading only: with the read replica's address, where there is one."""
        url = self.read_database_url
        return self.model_copy(update={"database_url": url}) if url else self

    @property
    def is_of_replica(self) -> bool:
        """Whether these are settings for reading at a replica."""
        return bool(self.read_database_url) and self.database_url == self.read_database_url

    @property
    def models(self) -> dict[str, str]:
        """The settings that name the models, to load the same ones elsewhere."""
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
