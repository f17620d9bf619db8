"""Answers in, one self-contained HTML page out: photos with outlined garments, hits as pictures."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy.orm import Session

from api.reports.overlay import colour_of
from api.schemas.serialise import hit_json, label_of, outlines
from indexer.catalogue.catalogue import Catalogue
from indexer.errors import PhotoError
from indexer.images.photo import Photo, read_photo
from indexer.storage.thumbnails import hash_by_garment, thumbnail_path
from search.ranking.hits import Hit
from search.searcher import Answer, GarmentAnswer

PHOTO_SIDE_PX = 900
HIT_SIDE_PX = 260


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """One photo with its answer, or the error that stands for it."""

    name: str
    photo: Photo | None = None
    answer: Answer | None = None
    error: str = ""


def write_report(path: Path, answered: Sequence[Answered], catalogue: Catalogue) -> None:
    """Write the page; pictures are embedded, so the file can be sent to anyone.

    A hit's picture is the thumbnail that `catalogue` keeps, else made from the photo's file.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("api.reports"), autoescape=True, undefined=StrictUndefined
    )
    kept = _thumbnails(catalogue, answered)
    page = environment.get_template("search.html.j2").render(
        photos=[_photo_view(each, kept) for each in answered]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


def _thumbnails(catalogue: Catalogue, answered: Sequence[Answered]) -> dict[int, Path]:
    """Return where the hits' photos are kept small, by garment id."""
    garments = [garment for each in answered if each.answer for garment in each.answer.garments]
    ids = {hit.garment_id for garment in garments for hit in garment.hits}
    with Session(catalogue.engine) as session:
        hashes = hash_by_garment(session, ids)
    home = catalogue.settings.home
    return {garment_id: thumbnail_path(home, sha256) for garment_id, sha256 in hashes.items()}


def _photo_view(each: Answered, kept: Mapping[int, Path]) -> dict[str, Any]:
    if each.photo is None or each.answer is None:
        return {"name": each.name, "error": each.error}
    height, width = each.photo.image_hw
    return {
        "name": each.name,
        "error": "",
        "picture": data_uri(each.photo.pixels, PHOTO_SIDE_PX),
        "width": width,
        "height": height,
        "warnings": each.answer.warnings,
        "took_ms": each.answer.took_ms,
        "garments": [_garment_view(garment, kept) for garment in each.answer.garments],
    }


def _garment_view(answer: GarmentAnswer, kept: Mapping[int, Path]) -> dict[str, Any]:
    garment = answer.garment
    height, width = garment.image_hw
    return {
        "id": answer.id,
        "colour": colour_of(answer.id, garment.slot),
        "label": label_of(garment),
        "polygons": [
            " ".join(f"{x * width:.1f},{y * height:.1f}" for x, y in line)
            for line in outlines(garment)
        ],
        "palette": garment.palette,
        "hits": [hit_json(hit) | {"picture": _hit_picture(hit, kept)} for hit in answer.hits],
    }


def _hit_picture(hit: Hit, kept: Mapping[int, Path]) -> str:
    """Return the catalogue photo small; empty when it is not there any more."""
    try:
        return _embedded(kept[hit.garment_id].read_bytes())
    except (OSError, KeyError):  # indexed by a version that kept none, or deleted meanwhile
        pass
    try:
        return data_uri(read_photo(Path(hit.matched_photo)).pixels, HIT_SIDE_PX)
    except PhotoError:
        return ""


def data_uri(pixels: NDArray[np.uint8], side_px: int) -> str:
    """Return RGB pixels as an embedded JPEG with no side longer than `side_px`."""
    image = Image.fromarray(pixels)
    image.thumbnail((side_px, side_px))
    encoded = BytesIO()
    image.save(encoded, "JPEG", quality=85)
    return _embedded(encoded.getvalue())


def _embedded(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"
