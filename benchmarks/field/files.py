"""Where the files of a set are looked for; what is missing is told with where to get it."""

from collections.abc import Sequence
from pathlib import Path


def find_file(folder: Path, names: Sequence[str], places: Sequence[str], source: str) -> Path:
    """Return the first file of one of these names in the folder or one of its `places`.

    Raises FileNotFoundError that says what was expected where, and `source`, where the set is had.
    """
    for place in ("", *places):
        for name in names:
            if (found := folder / place / name).is_file():
                return found
    where = ", ".join(str(folder / place) for place in ("", *places))
    raise FileNotFoundError(f"no {' or '.join(names)} in {where}; the set is to be had: {source}")


def find_folder(folder: Path, places: Sequence[str], example: str, source: str) -> Path:
    """Return the first place in the folder that holds the example, a file that the set names.

    Raises FileNotFoundError as `find_file` does.
    """
    for place in ("", *places):
        if (folder / place / example).is_file():
            return folder / place
    where = ", ".join(str(folder / place) for place in ("", *places))
    raise FileNotFoundError(
        f"the set names the photo {example}, which is in none of {where}; unpack its photos there. "
        f"The set is to be had: {source}"
    )
