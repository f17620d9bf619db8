"""Begin an import of a feed that was sent, or that lies in the server's import folder."""

import re
from pathlib import Path

from api.handlers.photo_intake import Upload
from api.schemas.requests import ImportRequest
from api.server.import_jobs import ImportJob
from api.server.state import ServerState
from indexer.errors import FeedError
from indexer.ingest.feed_source import FeedSource
from indexer.system.atomic_files import write_whole


def begin_import(
    state: ServerState, name: str, query: ImportRequest, upload: Upload | None
) -> ImportJob:
    """Begin to import the feed that was sent or named. Raises FeedError, ImportRunning."""
    root = (state.limits.import_root or state.settings.home / "import").resolve()
    images = _within(root, query.images) if query.images else None
    if images is not None and not images.is_dir():
        raise FeedError(f"{query.images!r} is no folder; images names that of the pictures")
    if upload is not None:
        source = _keep_feed(root, upload)
    elif query.source is not None:
        source = _within(root, query.source)
    else:
        raise FeedError("no feed; send one as `feed`, or name a `source` in the import folder")
    catalogue = state.catalogues.for_writing.get(name, create=True)
    state.model_switch.update_for(name)
    shown_as = upload.name if upload else str(query.source)
    feed = FeedSource(source, images, query.format, query.mapping)
    return state.jobs.start(catalogue, state.describer, feed, shown_as)


def _within(root: Path, name: str) -> Path:
    """Return a path in the import folder; one that leads out of it is refused."""
    try:
        path = (root / name).resolve()
        is_there = path.exists()
    except (OSError, ValueError) as error:  # too long for a file's name, or with a zero in it
        raise FeedError(f"{name[:80]!r} names no file: {error}") from error
    if path != root and root not in path.parents:
        raise FeedError(f"{name!r} leads out of the import folder; name a file or folder in it")
    if not is_there:
        raise FeedError(f"the import folder has no {name!r}; put it there, or send the feed")
    return path


def _keep_feed(root: Path, upload: Upload) -> Path:
    """Write a feed that was sent into the import folder, under a name that says what it was."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(upload.name).name).lstrip(".-")[-100:]
    path = root / (plain or "feed")
    write_whole(path, upload.content)
    return path
