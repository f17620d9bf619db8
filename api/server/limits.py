"""Read what the server accepts and keeps from `LAPEL_...` variables, each with its reason."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from indexer.images.photo import MAX_BYTES


class Limits(BaseSettings):
    """A server's limits. Every field can be set as `LAPEL_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="LAPEL_", extra="ignore")

    queue: int = Field(16, ge=1)
    """Queries that may wait for the models: on two cores about two seconds' worth."""
    photos_in_work: int = Field(24, ge=1)
    """Uploads decoded or waiting at once: what bounds the memory, 36 MB each for 12 megapixels."""
    body_bytes: int = Field(MAX_BYTES + 1_000_000, ge=1_000)
    """Of one query: a picture of the largest size, and the form around it."""
    write_bytes: int = Field(200_000_000, ge=1_000)
    """Of one request that writes items or sends a feed."""
    photo_minutes: float = Field(10.0, gt=0)
    """How long a photo_id is remembered."""
    rate_per_minute: int = Field(600, ge=0)
    """Requests of one key, or of one address without a key; 0 is no limit."""
    import_root: Path | None = None
    """The folder from which imports over HTTP may read; by default `import` in the home."""
    allow_origins: list[str] = Field(default_factory=list)
    """Web sites whose pages may call this server with a publishable key (CORS), as JSON."""
    allow_hosts: list[str] = Field(default_factory=list)
    """Names under which a server without keys may be called besides localhost, as JSON."""
