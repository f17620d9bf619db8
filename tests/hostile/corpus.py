"""All hostile pictures by name; made anew each time, the same each time."""

from collections.abc import Iterator

from tests.hostile.bombs import bomb_files
from tests.hostile.damage import damaged_files
from tests.hostile.derived import derived_files
from tests.hostile.disguises import disguised_files
from tests.hostile.file import HostileFile
from tests.hostile.metadata import metadata_files


def hostile_files() -> Iterator[HostileFile]:
    """Yield every hostile picture."""
    yield from damaged_files()
    yield from bomb_files()
    yield from derived_files()
    yield from metadata_files()
    yield from disguised_files()
