"""Write a file whole or not at all."""

import secrets
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write beside and then in place, in a folder made if need be: nobody reads half a file.

    Whoever writes the same file meanwhile does no harm: the last one's is kept. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Named after nothing but chance: a name of 255 letters has no room for more.
    beside = path.with_name(f".{secrets.token_hex(8)}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
