"""All settings in one object, from `LAPEL_...` variables; built by main programs, passed down."""

import re
from pathlib import Path

from pydantic import field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

WEIGHTS = Path(__file__).parent / "weights"


class Settings(BaseSettings):
    """What a shop may choose. Every field can be set as `LAPEL_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="LAPEL_", extra="ignore")

    home: Path = Path("~/.lapel")
    """Folder with the database, the vectors and `errors.csv`."""
    catalogue: str = "default"
    """Which of the home's catalogues."""
    database_url: str = ""
    """An SQLAlchemy address; empty means SQLite in the home."""
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

    @property
    def resolved_database_url(self) -> str:
        """The database's address."""
        return self.database_url or f"sqlite:///{self.home / 'lapel.sqlite'}"
