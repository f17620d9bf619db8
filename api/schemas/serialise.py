"""Build the parts of answers; the command line prints what HTTP serves."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

import cv2
import numpy as np
from pycocotools import mask as coco
from pydantic import BaseModel

from api.schemas.responses import Colour, DetectedGarment, Garment, Mask, SeenPerson
from indexer.description.describe import DescribedGarment
from indexer.errors import LapelError
from indexer.models.attribute_heads import CATEGORY
from search.answer import Answer, GarmentAnswer
from search.answer_facts import answer_envelope
from search.ranking.rank import Hit
from search.retrieval.stored_items import StoredItem

ITEM_FIELDS = (
    "title", "brand", "price", "currency", "availability", "category", "slot", "colour", "link",
)  # fmt: skip
Outline = list[list[float]]
GarmentModel = TypeVar("GarmentModel", bound=Garment)


def to_json(model: BaseModel) -> dict[str, Any]:
    """Return a model as values for JSON, without the fields that were not set."""
    return model.model_dump(exclude_unset=True)


def answer_json(asked: Mapping[str, str], answer: Answer, explain: bool = False) -> dict[str, Any]:
    """Return one query's answer; `asked` are its photo, item or text."""
    facts = envelope(answer)
    took = facts["took_ms"]
    if "text" in took and "embed" not in took:
        took["embed"] = took.pop("text")  # as the command line has called it from the beginning
    garments = []
    for each in answer.garments:
        shown = to_json(target(Garment, each)) | ({"explain": explained(each)} if explain else {})
        results = [
            hit_json(hit) | (explained_hit(hit, each.weights) if explain else {})
            for hit in each.hits
        ]
        garments.append(shown | {"results": results})
    people = {} if answer.photo is None else _people_json(answer)
    return {**asked, **facts, "garments": garments, **people}


def detection_json(photo: str, answer: Answer) -> dict[str, Any]:
    """Return what was detected: as an answer, with masks (COCO compressed RLE) for results."""
    garments = [
        to_json(described(DetectedGarment, i, garment, mask=mask(garment)))
        for i, garment in enumerate(answer.described)
    ]
    return {"photo": photo, **envelope(answer), "garments": garments, **_people_json(answer)}


def _people_json(answer: Answer) -> dict[str, Any]:
    seen = people_of(answer.photo.garments) if answer.photo is not None else []
    return {"people": [to_json(each) for each in seen]}


def error_json(asked: Mapping[str, str], error: LapelError) -> dict[str, Any]:
    """Return what stands in the place of an answer that could not be given."""
    return {**asked, "error": {"type": error.type, "detail": str(error)}}


def hit_json(hit: Hit) -> dict[str, Any]:
    """Return one hit with what a shop needs to show it."""
    return match_json(hit) | {name: getattr(hit.item, name) for name in ITEM_FIELDS}


def match_json(hit: Hit) -> dict[str, Any]:
    """Return which item a hit is and how near, without the item's columns."""
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


def envelope(answer: Answer) -> dict[str, Any]:
    """Return the fields at the head of every answer."""
    return answer_envelope(answer.query_id, answer.took_ms, answer.fingerprint, answer.warnings)


def target(model: type[GarmentModel], answer: GarmentAnswer, **more: Any) -> GarmentModel:
    """Return the garment that was searched for: a photo's, an item's, or one named by words.

    `more` are further fields of the model, here and below.
    """
    garment = answer.garment
    if isinstance(garment, DescribedGarment):
        return described(model, answer.id, garment, **more)
    if isinstance(garment, StoredItem):
        return stored(model, garment, **more)
    colours = [Colour(name=name) for name in garment.colours]
    return model(
        id=answer.id, slot=garment.slot, category=garment.category, colours=colours, **more
    )


def described(
    model: type[GarmentModel], id_: int, garment: DescribedGarment, **more: Any
) -> GarmentModel:
    """Return a photo's garment; `box` is x1, y1, x2, y2 in 0..1 of the upright photo."""
    return model(
        id=id_,
        slot=garment.slot,
        category=garment.category,
        confidence=round(garment.confidence, 4),
        category_confidence=category_confidence(garment),
        is_fallback=garment.is_fallback,
        box=_shares(garment.xyxy, garment.image_hw),
        colours=[Colour(**asdict(colour)) for colour in garment.palette],
        attributes={name: dict(labels) for name, labels in garment.attributes.items()},
        person=garment.person,
        **more,
    )


def people_of(garments: Sequence[DescribedGarment]) -> list[SeenPerson]:
    """Return the people of a photo, which each of its garments names; the main one is 0."""
    if not garments:
        return []
    photo = garments[0]
    return [
        SeenPerson(
            id=i, box=_shares(each.xyxy, photo.image_hw), confidence=round(each.confidence, 4)
        )
        for i, each in enumerate(photo.people)
    ]


def _shares(xyxy: tuple[int, int, int, int], image_hw: tuple[int, int]) -> list[float]:
    (height, width), (x1, y1, x2, y2) = image_hw, xyxy
    return [round(v, 5) for v in (x1 / width, y1 / height, x2 / width, y2 / height)]


def stored(model: type[GarmentModel], item: StoredItem, **more: Any) -> GarmentModel:
    """Return an item's garment; its box is on the item's first photo."""
    return model(
        id=0,
        slot=item.slot,
        category=item.category,
        confidence=round(item.confidence, 4),
        category_confidence=category_confidence(item),
        is_fallback=item.is_fallback,
        box=list(item.box),
        colours=[Colour(**colour) for colour in item.colours],
        attributes=dict(item.attributes),
        **more,
    )


def explained(answer: GarmentAnswer) -> dict[str, Any]:
    """Return the weights of the score's parts, and the parts of the query."""
    weights = {part: round(share, 4) for part, share in answer.weights.items()}
    return {"weights": weights, "sources": list(answer.sources)}


def explained_hit(hit: Hit, weights: Mapping[str, float]) -> dict[str, Any]:
    """Return what each part adds to a hit's score, and by how much words lift its rank."""
    added = {part: round(share * hit.parts[part], 4) for part, share in weights.items()}
    return {"contributions": added, "lift": round(hit.boost, 4)}


def mask(garment: DescribedGarment) -> Mask:
    """Return a garment's mask, in the size (h, w) of its photo's file.

    As the compressed run lengths of COCO, column by column.
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
    return Mask(size=[int(side) for side in rle["size"]], counts=rle["counts"].decode("ascii"))


def outlines(garment: DescribedGarment, tolerance: float = 0.002) -> list[Outline]:
    """Return the mask's outer outlines as points x, y in 0..1 of the photo, for SVG."""
    height, width = garment.image_hw
    x1, y1, _, _ = garment.xyxy
    contours, _ = cv2.findContours(
        garment.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    lines = []
    for contour in contours:
        simple = cv2.approxPolyDP(contour, tolerance * max(height, width), closed=True)
        if len(simple) >= 3:
            points = (simple.reshape(-1, 2) + np.array([x1, y1])) / np.array([width, height])
            lines.append(np.round(points, 4).tolist())
    return lines


def category_confidence(garment: DescribedGarment | StoredItem) -> float | None:
    """Return the probability of a garment's category; None where no head knows of it."""
    return garment.attributes.get(CATEGORY, {}).get(garment.category)


def name_of(garment: DescribedGarment) -> str:
    """Return what a garment is called, and how surely that is its category, or its slot."""
    if garment.is_fallback:
        return f"{garment.slot}: whole photo"
    if garment.category == garment.slot:
        return f"{garment.slot} {garment.confidence:.0%}"
    sure = category_confidence(garment)
    name = f"{garment.slot}: {garment.category}"
    return name if sure is None else f"{name} {sure:.0%}"


def label_of(garment: DescribedGarment) -> str:
    """Return the words that a garment is shown under: its name, of several people also whose."""
    if garment.is_fallback or len(garment.people) < 2:
        return name_of(garment)
    # As `--person` takes it.
    whose = "on nobody" if garment.person is None else f"person {garment.person}"
    return f"{name_of(garment)}, {whose}"
