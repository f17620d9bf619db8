"""Write a file whole or not at all."""

import secrets
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write beside the path, then move into place: no reader sees half a file.

    Makes the folder if need be. Of several writers at once the last one wins. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A random name: one of 255 letters would have no room for a suffix.
    beside = path.with_name(f".{secrets.token_hex(8)}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
