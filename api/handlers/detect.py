"""Answer with the garments of a photo, without a search."""

from typing import Any

from api.handlers.photo_intake import Upload, take_in
from api.schemas.requests import DetectRequest
from api.server.state import State
from indexer.errors import QueryError


def answer_detect(state: State, query: DetectRequest, upload: Upload | None) -> dict[str, Any]:
    """Describe the garments of a photo. Raises LapelErrors."""
    if upload and query.sources():
        raise QueryError(f"a photo was sent, and {query.sources()[0]} too; give one of them")
    taken = take_in(state, query, upload)
    if taken is None:
        raise QueryError("no photo; send one, or photo_base64, photo_url or photo_id")
    garments = []
    for i, described in enumerate(taken.photo.garments):
        garment = taken.garment(i, query.masks)
        if query.embeddings:
            garment["embedding"] = [round(float(v), 6) for v in described.vector]
        garments.append(garment)
    return taken.answer_head(state.inference.models.fingerprint) | {"garments": garments}
