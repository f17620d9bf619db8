"""Answer with the garments of a photo, without a search."""

from typing import Any

from api.handlers.photo_intake import Upload, receive_photo
from api.schemas.requests import DetectRequest
from api.schemas.responses import DetectAnswer, DetectedGarment
from api.schemas.serialise import mask
from api.server.state import ServerState


def answer_detect(state: ServerState, query: DetectRequest, upload: Upload | None) -> DetectAnswer:
    """Describe the garments of a photo. Raises LapelErrors."""
    received = receive_photo(state, query, upload)
    garments = []
    for i, garment in enumerate(received.photo.garments):
        more: dict[str, Any] = {}
        if query.masks:
            more["mask"] = mask(received.masked(i))
        if query.embeddings:
            more["embedding"] = [round(float(v), 6) for v in garment.vector]
        garments.append(received.garment(DetectedGarment, i, **more))
    head = received.answer_head(state.inference.models.fingerprint)
    return DetectAnswer(**head, garments=garments, people=received.people())
