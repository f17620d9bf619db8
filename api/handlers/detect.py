"""Answer with the garments of a photo, without a search."""

from typing import Any

from api.handlers.photo_intake import Upload, receive_photo
from api.schemas.requests import DetectRequest
from api.server.state import State


def answer_detect(state: State, query: DetectRequest, upload: Upload | None) -> dict[str, Any]:
    """Describe the garments of a photo. Raises LapelErrors."""
    received = receive_photo(state, query, upload)
    garments = []
    for i, described in enumerate(received.photo.garments):
        garment = received.garment(i, query.masks)
        if query.embeddings:
            garment["embedding"] = [round(float(v), 6) for v in described.vector]
        garments.append(garment)
    return received.answer_head(state.inference.models.fingerprint) | {"garments": garments}
