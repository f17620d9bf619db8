"""Read the server's limits from `LAPEL_...` variables; `rate_limit.py` counts requests."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from indexer.images.decode_limits import MAX_BYTES


class Limits(BaseSettings):
    """A server's limits. Every field can be set as `LAPEL_<NAME>`.

    `docs/reference/settings.md` is made from the texts below the fields: `make docs`.
    """

    model_config = SettingsConfigDict(env_prefix="LAPEL_", extra="ignore")

    queue: int = Field(16, ge=1)
    """Queries that may wait for the models; the default is about two seconds of work on two cores.
    Further queries get 503."""
    photos_in_work: int = Field(24, ge=1)
    """Uploaded photos in memory at the same time; 36 MB each for 12 megapixels."""
    body_bytes: int = Field(MAX_BYTES + 1_000_000, ge=1_000)
    """Largest body of a query; the default fits a photo of the largest size and its form."""
    write_bytes: int = Field(200_000_000, ge=1_000)
    """Largest body of a request that writes items or sends a feed."""
    photo_minutes: float = Field(10.0, gt=0)
    """Minutes for which a photo_id stays valid."""
    rate_per_minute: int = Field(600, ge=0)
    """Requests per minute of one key, or of one address without a key; a tenth of them may come at
    once; 0 means no limit."""
    import_root: Path | None = None
    """Folder from which imports over HTTP may read; unset means `import` in the home."""
    allow_origins: list[str] = Field(default_factory=list)
    """JSON list of the web sites whose pages may call this server with a publishable key (CORS)."""
    allow_hosts: list[str] = Field(default_factory=list)
    """JSON list of host names, besides localhost, to which a server without keys answers."""
