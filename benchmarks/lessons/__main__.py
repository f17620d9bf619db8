"""Make the pictures and tables of the pages that teach, from the models and the sample shop.

    python -m benchmarks.lessons [--only heads losses transfer masks colours gallery]

Takes about five minutes on two cores, and needs no data but what is in the repository and in the
ultralytics package. Tables stand in the pages between two comments, and are replaced there.
"""

import argparse
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.lessons import colours, gallery, heads, losses, masks, transfer
from benchmarks.lessons.lesson import Lesson
from indexer.description.describe import Describer
from indexer.models.loading import load_models
from indexer.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
Tables = Mapping[str, str]


SECTIONS: Mapping[str, Callable[[Lesson], Tables]] = {
    "heads": heads.teach,
    "losses": losses.teach,
    "transfer": transfer.teach,
    "masks": masks.teach,
    "colours": colours.teach,
    "gallery": gallery.show,
}


def put_in(text: str, tables: Tables) -> str:
    """Return a page with each table between `<!-- table NAME -->` and `<!-- end -->` replaced."""
    for name, table in tables.items():
        begin = f"<!-- table {name} -->"
        between = re.compile(rf"{re.escape(begin)}\n.*?<!-- end -->", re.DOTALL)
        text = between.sub(lambda _, new=f"{begin}\n{table}\n<!-- end -->": new, text)  # type: ignore[misc]
    return text


def main(words: Sequence[str] | None = None) -> None:
    """Make the pictures and put the tables into the pages."""
    parser = argparse.ArgumentParser(prog="benchmarks.lessons", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=tuple(SECTIONS), default=list(SECTIONS))
    parser.add_argument("--out", type=Path, default=DOCS / "pictures", help="folder of pictures")
    parser.add_argument("--pages", type=Path, default=DOCS, help="folder of the pages")
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="lapel-lessons-") as folder:
        lesson = Lesson(Describer(load_models(Settings())), Path(folder), given.out)
        tables: dict[str, str] = {}
        for name in given.only:
            tables |= SECTIONS[name](lesson)
    for name, table in tables.items():
        print(f"\n{name}\n{table}")
    for page in sorted(given.pages.rglob("*.md")):
        text = page.read_text("utf-8")
        if (changed := put_in(text, tables)) != text:
            page.write_text(changed, "utf-8")


if __name__ == "__main__":
    main()
