"""Fill the templates of self-contained pages, pictures included, and write them."""

import base64
import io
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from indexer.storage.thumbnails import thumbnail_path
from indexer.system.atomic_files import write_whole

THUMBNAIL_SIDE_PX = 160  # 4 kB each

_templates = Environment(
    loader=PackageLoader("api.reports"), autoescape=True, undefined=StrictUndefined
)


def write_html(path: Path, template: str, **values: Any) -> None:
    """Fill a template and write the page as a whole or not at all."""
    page = _templates.get_template(template).render(values)
    write_whole(path, page.encode("utf-8", "backslashreplace"))


def data_address(content: bytes, media_type: str = "image/jpeg") -> str:
    """Return a picture's bytes as a `data:` address."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def small_jpeg(image: Image.Image, side_px: int, quality: int = 85) -> str:
    """Return an RGB picture as a `data:` address, no side longer than `side_px`.

    The picture itself is made smaller.
    """
    image.thumbnail((side_px, side_px))
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=quality)
    return data_address(encoded.getvalue())


def stored_thumbnail(home: Path, sha256: str) -> str:
    """Return a photo's thumbnail, smaller still, as a `data:` address; empty if there is none."""
    if not sha256:
        return ""
    try:
        with Image.open(thumbnail_path(home, sha256)) as image:
            small = image.convert("RGB")
    except OSError:
        return ""
    return small_jpeg(small, THUMBNAIL_SIDE_PX, quality=75)
