"""Write answers as one self-contained HTML page: outlined garments, and hits with pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from sqlalchemy.orm import Session

from api.reports.html import data_address, small_jpeg, write_html
from api.reports.overlay import colour_of
from api.schemas.serialise import hit_json, label_of, outlines
from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import DescribedGarment
from indexer.errors import PhotoError
from indexer.images.photo import Photo, read_photo
from indexer.storage.thumbnails import hash_by_garment, thumbnail_path
from search.answer import Answer, GarmentAnswer
from search.ranking.rank import Hit

PHOTO_SIDE_PX = 900
HIT_SIDE_PX = 260


@dataclass(frozen=True, slots=True, eq=False)
class AnsweredPhoto:
    """One photo with its answer, or the error that stands for it."""

    name: str
    photo: Photo | None = None
    answer: Answer | None = None
    error: str = ""


def write_report(path: Path, answered: Sequence[AnsweredPhoto], catalogue: Catalogue) -> None:
    """Write the page; pictures are embedded, so the file can be sent to anyone.

    A hit's picture is the thumbnail that `catalogue` keeps, else made from the photo's file.
    """
    thumbnails = _thumbnails(catalogue, answered)
    write_html(path, "search.html.j2", photos=[_photo_view(each, thumbnails) for each in answered])


def _thumbnails(catalogue: Catalogue, answered: Sequence[AnsweredPhoto]) -> dict[int, Path]:
    """Return where the thumbnails of the hits' photos lie, by garment id."""
    garments = [garment for each in answered if each.answer for garment in each.answer.garments]
    ids = {hit.garment_id for garment in garments for hit in garment.hits}
    with Session(catalogue.engine) as session:
        hashes = hash_by_garment(session, ids)
    home = catalogue.settings.home
    return {garment_id: thumbnail_path(home, sha256) for garment_id, sha256 in hashes.items()}


def _photo_view(each: AnsweredPhoto, thumbnails: Mapping[int, Path]) -> dict[str, Any]:
    if each.photo is None or each.answer is None:
        return {"name": each.name, "error": each.error}
    height, width = each.photo.image_hw
    return {
        "name": each.name,
        "error": "",
        "picture": small_jpeg(Image.fromarray(each.photo.pixels), PHOTO_SIDE_PX),
        "width": width,
        "height": height,
        "warnings": each.answer.warnings,
        "took_ms": each.answer.took_ms,
        "garments": [
            _garment_view(garment, answer, (height, width), thumbnails)
            for garment, answer in zip(each.answer.described, each.answer.garments, strict=True)
        ],
    }


def _garment_view(
    garment: DescribedGarment,
    answer: GarmentAnswer,
    image_hw: tuple[int, int],
    thumbnails: Mapping[int, Path],
) -> dict[str, Any]:
    height, width = image_hw
    return {
        "id": answer.id,
        "colour": colour_of(answer.id, garment.slot),
        "label": label_of(garment),
        "polygons": [
            " ".join(f"{x * width:.1f},{y * height:.1f}" for x, y in line)
            for line in outlines(garment)
        ],
        "palette": garment.palette,
        "hits": [hit_json(hit) | {"picture": _hit_picture(hit, thumbnails)} for hit in answer.hits],
    }


def _hit_picture(hit: Hit, thumbnails: Mapping[int, Path]) -> str:
    """Return the catalogue photo small; empty when it is not there any more."""
    try:
        return data_address(thumbnails[hit.garment_id].read_bytes())
    except (OSError, KeyError):  # indexed by a version that kept none, or deleted meanwhile
        pass
    try:
        pixels = read_photo(Path(hit.matched_photo)).pixels
        return small_jpeg(Image.fromarray(pixels), HIT_SIDE_PX)
    except PhotoError:
        return ""
