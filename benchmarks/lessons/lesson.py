"""The models, shop and folders that the sections of `benchmarks.lessons` share."""

import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.lessons.pictures import shrink
from benchmarks.lessons.shop import DrawnShop
from indexer.description.describe import Describer


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
        png = io.BytesIO()
        Image.fromarray(np.asarray(pixels, np.uint8)).save(png, "PNG")
        self.out.mkdir(parents=True, exist_ok=True)
        path = self.out / f"{name}.jpg"
        path.write_bytes(shrink(png.getvalue()))
        print(f"{path}: {path.stat().st_size:,} bytes")
