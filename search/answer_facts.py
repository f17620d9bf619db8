"""Build the envelope of every answer: id, times, models, warnings."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

NOTHING_FOUND = "no garment was found: the whole photo stands for one garment of unknown slot"
NOT_UNDERSTOOD = "the text names no garment and no colour that is known: its hits are a guess"


def new_id() -> str:
    """Return a query's id, unlike any other's."""
    return uuid.uuid4().hex


def to_ms(seconds: float) -> float:
    """Return seconds as milliseconds, to the tenth that answers show."""
    return round(seconds * 1000, 1)


def not_in_photo(asked: str, slots: Iterable[str]) -> str:
    """Return the warning that a photo with garments of these slots shows none of the one asked."""
    return f"no {asked} was found in the photo; it shows: {', '.join(sorted(set(slots)))}"


def answer_envelope(
    query_id: str, took_ms: Mapping[str, float], fingerprint: str, warnings: Sequence[str]
) -> dict[str, Any]:
    """Return the head of every answer."""
    return {
        "query_id": query_id,
        "took_ms": dict(took_ms),
        "model": {"fingerprint": fingerprint},
        "warnings": list(warnings),
    }
