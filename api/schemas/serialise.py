"""Answers in, the JSON that scripts depend on out; the command line and HTTP give the same."""

from dataclasses import asdict
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco

from indexer.description.describe import DescribedGarment
from indexer.errors import LapelError
from search.answer_facts import answer_envelope
from search.ranking.hits import Hit
from search.searcher import Answer, GarmentAnswer, TextAnswer

ITEM_FIELDS = (
    "title", "brand", "price", "currency", "availability", "category", "slot", "colour", "link",
)  # fmt: skip
Outline = list[list[float]]


def answer_json(photo: str, answer: Answer) -> dict[str, Any]:
    """Return one photo's answer."""
    return _head(photo, answer) | {
        "garments": [_garment_answer_json(each) for each in answer.garments]
    }


def text_answer_json(answer: TextAnswer) -> dict[str, Any]:
    """Return a text's answer, in the form of a photo's with one garment."""
    query = answer.query
    garment = {
        "id": 0,
        "slot": query.slot,
        "category": query.category,
        "colours": [{"name": name} for name in query.colours],
        "results": [hit_json(hit) for hit in answer.hits],
    }
    return {"text": query.text} | _facts(answer) | {"garments": [garment]}


def error_json(photo: str, error: LapelError) -> dict[str, Any]:
    """Return what stands in the place of an answer that could not be given."""
    return {"photo": photo, "error": {"type": error.type, "detail": str(error)}}


def text_error_json(text: str, error: LapelError) -> dict[str, Any]:
    """Return what stands in the place of a text's answer."""
    return {"text": text, "error": {"type": error.type, "detail": str(error)}}


def garment_json(id_: int, garment: DescribedGarment) -> dict[str, Any]:
    """Return one garment; `box` is x1, y1, x2, y2 in 0..1 of the upright photo."""
    height, width = garment.image_hw
    x1, y1, x2, y2 = garment.xyxy
    return {
        "id": id_,
        "slot": garment.slot,
        "category": garment.category,
        "confidence": round(garment.confidence, 4),
        "is_fallback": garment.is_fallback,
        "box": [round(v, 5) for v in (x1 / width, y1 / height, x2 / width, y2 / height)],
        "colours": [asdict(colour) for colour in garment.palette],
        "attributes": {name: dict(labels) for name, labels in garment.attributes.items()},
    }


def detection_json(photo: str, answer: Answer) -> dict[str, Any]:
    """Return what was detected: as an answer, with masks (COCO compressed RLE) for results."""
    garments = [
        garment_json(each.id, each.garment) | {"mask": mask_json(each.garment)}
        for each in answer.garments
    ]
    return _head(photo, answer) | {"garments": garments}


def mask_json(garment: DescribedGarment) -> dict[str, Any]:
    """Return a garment's mask, in the size (h, w) of its photo's file.

    As `{"size": [h, w], "counts": "..."}`, the compressed run lengths of COCO, column by column.
    """
    height, width = garment.image_hw
    x1, y1, x2, y2 = garment.xyxy
    columns = np.zeros((width, height), np.uint8)
    columns[x1:x2, y1:y2] = garment.mask.T
    if garment.photo_hw != garment.image_hw:
        columns = np.asarray(
            cv2.resize(columns, garment.photo_hw, interpolation=cv2.INTER_NEAREST), np.uint8
        )
    rle = coco.encode(columns.T)
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}


def outlines(garment: DescribedGarment, tolerance: float = 0.002) -> list[Outline]:
    """Return the mask's outer outlines as points x, y in 0..1 of the photo, for SVG."""
    height, width = garment.image_hw
    x1, y1, _, _ = garment.xyxy
    found, _ = cv2.findContours(
        garment.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    lines = []
    for line in found:
        simple = cv2.approxPolyDP(line, tolerance * max(height, width), closed=True)
        if len(simple) >= 3:
            points = (simple.reshape(-1, 2) + np.array([x1, y1])) / np.array([width, height])
            lines.append(np.round(points, 4).tolist())
    return lines


def label_of(garment: DescribedGarment) -> str:
    """Return the words that a garment is shown under."""
    if garment.is_fallback:
        return f"{garment.slot}: whole photo"
    name = (
        garment.slot if garment.category == garment.slot else f"{garment.slot}: {garment.category}"
    )
    return f"{name} {garment.confidence:.0%}"


def hit_json(hit: Hit) -> dict[str, Any]:
    """Return one hit with what a shop needs to show it."""
    return match_json(hit) | {name: getattr(hit.item, name) for name in ITEM_FIELDS}


def match_json(hit: Hit) -> dict[str, Any]:
    """Return which item a hit is and how near, without what the shop says of it."""
    return {
        "item_id": hit.item.item_id,
        "group_id": hit.item.group_id,
        "score": hit.score,
        "confidence": hit.confidence,
        "match": hit.match,
        "popularity": hit.popularity,
        "parts": dict(hit.parts),
        "matched_words": list(hit.matched_words),
        "matched_photo": hit.matched_photo,
    }


def _garment_answer_json(answer: GarmentAnswer) -> dict[str, Any]:
    results = [hit_json(hit) for hit in answer.hits]
    return garment_json(answer.id, answer.garment) | {"results": results}


def _head(photo: str, answer: Answer) -> dict[str, Any]:
    return {"photo": photo} | _facts(answer)


def _facts(answer: Answer | TextAnswer) -> dict[str, Any]:
    return answer_envelope(answer.query_id, answer.took_ms, answer.fingerprint, answer.warnings)
