"""Read a folder of photos: each photo is an item, the names of its folders give its category."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from indexer.errors import FeedError
from indexer.feeds.reading.record import ItemRecord, RowError
from indexer.feeds.reading.text_files import FeedStart
from indexer.images.photo import is_photo_file
from indexer.vocabulary.categories import find_category, slot_of

name = "folder"


def sniff(head: FeedStart) -> bool:
    """Tell whether this is a folder."""
    return head.source.is_dir()


def read(source: Path) -> Iterator[ItemRecord | RowError]:
    """Yield one record a photo, in the order of their paths; `jeans/a.jpg` is a pair of jeans."""
    if not source.is_dir():
        raise FeedError(f"{source} is not a folder; give a folder of photos")
    paths = sorted(path for path in source.rglob("*") if path.is_file() and is_photo_file(path))
    stems = Counter(path.with_suffix("") for path in paths)
    for row, path in enumerate(paths, start=1):
        relative = path.relative_to(source)
        try:
            str(relative).encode("utf-8")
        except UnicodeEncodeError:
            yield RowError(row, ascii(str(relative)), "the file's name is not UTF-8; rename it")
            continue
        folders = [find_category(_words(Path(f))) for f in reversed(relative.parent.parts)]
        category = next((found for found in folders if found), None) or find_category(_words(path))
        # `a.jpg` and `a.png` are two items.
        is_alone = stems[path.with_suffix("")] == 1
        item_id = (relative.with_suffix("") if is_alone else relative).as_posix()
        yield ItemRecord(
            item_id=item_id,
            group_id=item_id,
            photos=(str(path.absolute()),),
            title=_words(path),
            category=category,
            slot=slot_of(category) if category else None,
            fields={"folder": relative.parent.as_posix()} if relative.parent.parts else {},
            row=row,
        )


def _words(path: Path) -> str:
    return path.stem.replace("_", " ").replace("-", " ")
