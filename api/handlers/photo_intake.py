"""An uploaded, linked or remembered photo in; the photo described and remembered out."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from api.schemas.requests import PhotoSource
from api.schemas.serialise import garment_json, mask_json, outlines
from api.server.photo_cache import KeptMask, RememberedPhoto
from api.server.state import State
from indexer.description.describe import DescribedGarment
from indexer.errors import PhotoUnreadable, QueryError
from indexer.garments import Slot
from indexer.images.downscaling import divisor, shrunk
from indexer.images.photo import Photo, read_photo
from search.answer_facts import NOTHING_FOUND, answer_envelope, new_id

SMALLEST_BOX_PX = 16  # a side; less shows no cloth


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came with a form."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True, eq=False)
class TakenIn:
    """A photo remembered under `photo_id`; `took_ms` by stage, of a recalled one nothing."""

    photo_id: str
    photo: RememberedPhoto
    took_ms: Mapping[str, float]

    def head(self) -> dict[str, Any]:
        """Return what an answer says of the photo itself."""
        height, width = self.photo.image_hw
        return {
            "photo": self.photo.name,
            "photo_id": self.photo_id,
            "image": {"width": width, "height": height},
        }

    def answer_head(self, fingerprint: str) -> dict[str, Any]:
        """Return all of a detection's answer but the garments."""
        return self.head() | answer_envelope(
            new_id(), self.took_ms, fingerprint, self.photo.warnings
        )

    def garment(self, id_: int, with_mask: bool = False) -> dict[str, Any]:
        """Return one garment as answers show it."""
        garment = self.photo.garments[id_]
        shown = garment_json(id_, garment) | {"outlines": self.photo.outlines[id_]}
        if with_mask:
            shown["mask"] = mask_json(replace(garment, mask=self.photo.masks[id_].mask()))
        return shown


def take_in(state: State, source: PhotoSource, upload: Upload | None) -> TakenIn | None:
    """Describe and remember the photo of a request, or recall it; None when it names none."""
    if upload is None and source.photo_id is not None:
        recalled = state.photos.recall(source.photo_id)
        if recalled.fingerprint == state.inference.models.fingerprint:
            return TakenIn(source.photo_id, recalled, {})
        # The models were switched since: its garments are described by the others now.
        return _describe(state, Upload(recalled.name, recalled.content), source.photo_id)
    sent = upload or _sent(state, source)
    if sent is None:
        return None
    return _describe(state, sent)


def look_into_box(
    state: State, taken: TakenIn, box: tuple[float, float, float, float], wanted: Slot | None
) -> tuple[DescribedGarment, list[Any], Mapping[str, float]]:
    """Describe the one garment in a box that a person drew; also returns its outlines, its ms.

    Raises QueryError for a box too small to show a garment.
    """
    height, width = taken.photo.image_hw
    x1, x2 = int(np.floor(box[0] * width)), int(np.ceil(box[2] * width))
    y1, y2 = int(np.floor(box[1] * height)), int(np.ceil(box[3] * height))
    if min(x2 - x1, y2 - y1) < SMALLEST_BOX_PX:
        raise QueryError(
            f"the box is {x2 - x1}x{y2 - y1} pixels of the photo; each side needs "
            f"{SMALLEST_BOX_PX} at least: draw it larger"
        )
    pixels = read_photo(taken.photo.content, taken.photo.name, in_full=True).pixels
    # A part of a large photo is a photo of its own: who looks closer sees more of it.
    by = divisor((x2 - x1, y2 - y1))
    crop = Photo(shrunk(np.ascontiguousarray(pixels[y1:y2, x1:x2]), by), "")
    described = state.inference.describe(crop, wanted)
    state.metrics.stages(described.took_ms)
    # Whatever else reaches into the box, its largest garment is what was meant.
    meant = max(described.garments, key=lambda garment: int(garment.mask.sum()))
    a, b, c, d = meant.xyxy
    left, above = x1 // by, y1 // by
    placed = replace(
        meant,
        photo_hw=(height, width),
        image_hw=(-(-height // by), -(-width // by)),
        xyxy=(a + left, b + above, c + left, d + above),
    )
    return _without_mask(placed), outlines(placed), described.took_ms


def decode_base64(text: str, name: str) -> bytes:
    """Return the bytes; a `data:` address is read too. Raises PhotoUnreadable."""
    encoded = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PhotoUnreadable(f"{name} is not base64: {error}") from error


def _sent(state: State, source: PhotoSource) -> Upload | None:
    if source.photo_base64 is not None:
        return Upload("photo", decode_base64(source.photo_base64, "photo_base64"))
    if source.photo_url is not None:
        return Upload(source.photo_url, state.fetcher.fetch(source.photo_url))
    return None


def _describe(state: State, sent: Upload, photo_id: str | None = None) -> TakenIn:
    """Describe a photo and remember it, under the id that it has or a new one."""
    photo = read_photo(sent.content, sent.name)
    fingerprint = state.inference.models.fingerprint
    described = state.inference.describe(photo)
    state.metrics.stages(described.took_ms)
    warnings = (NOTHING_FOUND,) if described.garments[0].is_fallback else ()
    remembered = RememberedPhoto(
        sent.name,
        sent.content,
        photo.photo_hw,
        tuple(_without_mask(garment) for garment in described.garments),
        tuple(outlines(garment) for garment in described.garments),
        tuple(KeptMask.of(garment.mask) for garment in described.garments),
        warnings,
        fingerprint,
    )
    return TakenIn(state.photos.keep(remembered, photo_id), remembered, described.took_ms)


def _without_mask(garment: DescribedGarment) -> DescribedGarment:
    # A photo's masks fill as much memory as the photo decoded.
    return replace(garment, mask=np.zeros((0, 0), np.bool_))
