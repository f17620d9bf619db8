"""Find the shared data sets, and assign each name in them to one of ten parts."""

import hashlib
import os
from pathlib import Path


def shared_folder() -> Path:
    """Find the folder with `data/` and `weights/`: $LAPEL_SHARED, else beside the checkout."""
    checkout = Path(__file__).resolve().parents[2]
    return Path(os.environ.get("LAPEL_SHARED") or checkout.parent / "shared")


def set_folder(name: str, listing: str, folder: Path | None = None) -> Path:
    """Return where a set lies, by default in the shared folder.

    Raises FileNotFoundError where the file that lists the set is not there.
    """
    folder = folder or shared_folder() / "data" / name
    if not (folder / listing).exists():
        raise FileNotFoundError(
            f"no {name} set at {folder}: {listing} is missing; set LAPEL_SHARED to the folder that "
            f"holds data/{name}"
        )
    return folder


def tenth_of(name: str) -> int:
    """Put a name into one of ten parts, 0..9, by its sha256: no order or seed changes it."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 10
