"""Make the pictures and tables of the pages that teach, from the models and the sample shop.

    python -m benchmarks.lessons [--only heads losses transfer masks colours gallery]

Takes about five minutes on two cores, and needs no data but what is in the repository and in the
ultralytics package. Tables stand in the pages between two comments, and are replaced there.
"""

import argparse
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.lessons import colours as teaching_colours
from benchmarks.lessons import gallery
from benchmarks.lessons import heads as teaching_heads
from benchmarks.lessons import losses as teaching_losses
from benchmarks.lessons import masks as teaching_masks
from benchmarks.lessons import transfer as teaching_transfer
from benchmarks.lessons.pictures import shrink
from benchmarks.lessons.shop import DrawnShop
from indexer.description.describe import Describer
from indexer.models.loading import load_models
from indexer.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
Tables = Mapping[str, str]


@dataclass(frozen=True)
class Lesson:
    """What the sections have at hand; the shop is drawn and indexed when first asked for."""

    describer: Describer
    folder: Path
    out: Path

    @cached_property
    def shop(self) -> DrawnShop:
        """The sample shop, indexed."""
        return DrawnShop.make(self.folder, self.describer)

    def save(self, name: str, pixels: Any) -> None:
        """Write an RGB array as the best JPEG that is small enough."""
        import io

        png = io.BytesIO()
        Image.fromarray(np.asarray(pixels, np.uint8)).save(png, "PNG")
        self.out.mkdir(parents=True, exist_ok=True)
        path = self.out / f"{name}.jpg"
        path.write_bytes(shrink(png.getvalue()))
        print(f"{path}: {path.stat().st_size:,} bytes")


SECTIONS: Mapping[str, Callable[[Lesson], Tables]] = {
    "heads": teaching_heads.teach,
    "losses": teaching_losses.teach,
    "transfer": teaching_transfer.teach,
    "masks": teaching_masks.teach,
    "colours": teaching_colours.teach,
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
    parser = argparse.ArgumentParser(prog="benchmarks.lessons.__main__", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=tuple(SECTIONS), default=list(SECTIONS))
    parser.add_argument("--out", type=Path, default=DOCS / "pictures", help="folder of pictures")
    parser.add_argument("--pages", type=Path, default=DOCS, help="folder of the pages")
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="lapel-teaching-") as folder:
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
