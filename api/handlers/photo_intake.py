"""Receive the photo of a request, uploaded, linked or cached; describe and cache it."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from api.schemas.requests import PhotoSource
from api.schemas.responses import SeenPerson
from api.schemas.serialise import GarmentModel, Outline, described, outlines, people_of
from api.server.photo_cache import CachedPhoto, PackedMask
from api.server.state import ServerState
from indexer.description.describe import DescribedGarment
from indexer.errors import PhotoUnreadable, QueryError
from indexer.garments import Slot
from indexer.images.photo import read_photo
from search.answer_facts import NOTHING_FOUND, answer_envelope, new_id
from search.query.photo_box import Box, PhotoBox


@dataclass(frozen=True, slots=True)
class Upload:
    """A file sent with a form."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True, eq=False)
class ReceivedPhoto:
    """A photo cached under `photo_id`; `took_ms` by stage is empty for one that was recalled."""

    photo_id: str
    photo: CachedPhoto
    took_ms: Mapping[str, float]

    def head(self) -> dict[str, Any]:
        """Return an answer's fields about the photo itself."""
        height, width = self.photo.image_hw
        return {
            "photo": self.photo.name,
            "photo_id": self.photo_id,
            "image": {"width": width, "height": height},
        }

    def answer_head(self, fingerprint: str) -> dict[str, Any]:
        """Return all fields of a detection's answer but the garments."""
        return self.head() | answer_envelope(
            new_id(), self.took_ms, fingerprint, self.photo.warnings
        )

    def garment(self, model: type[GarmentModel], id_: int, **more: Any) -> GarmentModel:
        """Return one garment as answers show it, with `more` fields of the model."""
        garment, lines = self.photo.garments[id_], self.photo.outlines[id_]
        return described(model, id_, garment, outlines=lines, **more)

    def people(self) -> list[SeenPerson]:
        """Return the photo's people as answers show them."""
        return people_of(self.photo.garments)

    def masked(self, id_: int) -> DescribedGarment:
        """Return one garment with its mask."""
        return replace(self.photo.garments[id_], mask=self.photo.masks[id_].mask())


def receive_photo(state: ServerState, source: PhotoSource, upload: Upload | None) -> ReceivedPhoto:
    """Describe and cache the photo of a request, or recall it. Raises LapelErrors."""
    if upload and source.sources():
        raise QueryError(f"a photo was sent, and {source.sources()[0]} too; give one of them")
    if upload is None and source.photo_id is not None:
        recalled = state.photos.recall(source.photo_id)
        if recalled.fingerprint == state.inference.models.fingerprint:
            return ReceivedPhoto(source.photo_id, recalled, {})
        # The models were switched since: the new ones describe its garments now.
        return _describe(state, Upload(recalled.name, recalled.content), source.photo_id)
    sent = upload or _linked(state, source)
    if sent is None:
        raise QueryError("no photo; send one, or photo_base64, photo_url or photo_id")
    return _describe(state, sent)


def describe_box(
    state: ServerState, received: ReceivedPhoto, box: Box, wanted: Slot | None
) -> tuple[DescribedGarment, list[Outline], Mapping[str, float]]:
    """Describe the garment in a box that a person drew; return it, its outlines, the stages' ms.

    Raises QueryError for a box too small to show a garment.
    """
    pixels = read_photo(received.photo.content, received.photo.name, in_full=True).pixels
    cut = PhotoBox.cut(pixels, box)
    result = state.inference.describe(cut.photo, wanted)
    state.metrics.stages(result.took_ms)
    garment = cut.largest(result.garments)
    return _without_mask(garment), outlines(garment), result.took_ms


def decode_base64(text: str, name: str) -> bytes:
    """Return the bytes; a `data:` address is read too. Raises PhotoUnreadable."""
    encoded = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PhotoUnreadable(f"{name} is not base64: {error}") from error


def _linked(state: ServerState, source: PhotoSource) -> Upload | None:
    if source.photo_base64 is not None:
        return Upload("photo", decode_base64(source.photo_base64, "photo_base64"))
    if source.photo_url is not None:
        return Upload(source.photo_url, state.fetcher.fetch(source.photo_url))
    return None


def _describe(state: ServerState, sent: Upload, photo_id: str | None = None) -> ReceivedPhoto:
    """Describe a photo and cache it, under the id that it has or a new one."""
    photo = read_photo(sent.content, sent.name)
    fingerprint = state.inference.models.fingerprint
    result = state.inference.describe(photo)
    state.metrics.stages(result.took_ms)
    warnings = (NOTHING_FOUND,) if result.garments[0].is_fallback else ()
    cached = CachedPhoto(
        sent.name,
        sent.content,
        photo.photo_hw,
        tuple(_without_mask(garment) for garment in result.garments),
        tuple(outlines(garment) for garment in result.garments),
        tuple(PackedMask.of(garment.mask) for garment in result.garments),
        warnings,
        fingerprint,
    )
    return ReceivedPhoto(state.photos.keep(cached, photo_id), cached, result.took_ms)


def _without_mask(garment: DescribedGarment) -> DescribedGarment:
    # A photo's masks take as much memory as its decoded pixels.
    return replace(garment, mask=np.zeros((0, 0), np.bool_))
