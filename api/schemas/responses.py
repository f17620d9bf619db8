"""Define what the server answers; FastAPI documents and serialises these models."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

PEOPLE = "The photo's people, the main one first; with `box`, those seen in it."


class Extensible(BaseModel):
    """A part of an answer that may get more fields later."""

    model_config = ConfigDict(extra="allow")


class Problem(Extensible):
    """What is wrong, after RFC 9457."""

    type: str = Field(examples=["urn:lapel:photo_too_small"])
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = None


class ImageSize(BaseModel):
    """The upright photo's size in pixels."""

    width: int
    height: int


class ModelName(BaseModel):
    """The models that described the photo."""

    fingerprint: str


class Colour(Extensible):
    """One colour of a garment, and its share of the pixels."""

    name: str
    hex: str | None = None
    share: float | None = None


class Mask(BaseModel):
    """COCO's compressed run-length encoding; `size` is height, width."""

    size: list[int]
    counts: str


class SeenPerson(Extensible):
    """One person in the photo; `box` is x1, y1, x2, y2 in 0..1 of the photo."""

    id: int
    box: list[float]
    confidence: float


class Garment(Extensible):
    """One garment; `box` is x1, y1, x2, y2 and `outlines` are polygons, in 0..1 of the photo.

    `person` is the id of the one of `people` who wears it.
    """

    id: int
    slot: str
    category: str | None
    confidence: float | None = Field(
        None, description="How sure the detector is that a garment of this slot is there."
    )
    category_confidence: float | None = Field(
        None,
        description="Probability of the category, given the slot; null where it is not read from "
        "the picture.",
    )
    is_fallback: bool | None = None
    box: list[float] | None = None
    colours: list[Colour] = []
    attributes: dict[str, dict[str, float]] | None = None
    outlines: list[list[list[float]]] | None = None
    person: int | None = Field(None, description="Of `people`, by id; null: on nobody.")


class DetectedGarment(Garment):
    """A garment with its mask, and its vector when asked for."""

    mask: Mask | None = None
    embedding: list[float] | None = None


class Result(Extensible):
    """One item that came back, with those of its columns that were asked for."""

    item_id: str
    group_id: str
    score: float = Field(ge=0, le=1)
    confidence: float | None = Field(
        None,
        description="Probability of being the same product; null unless the catalogue was "
        "calibrated (`lapel evaluate --calibrate`) and the query is a photo with default weights.",
    )
    match: str | None = Field(
        None, description="same product, similar or no good match; null if `confidence` is."
    )
    popularity: float | None = Field(
        None,
        description="From the events sent here, 0 to 1, 0.5 the average; null if it did not count.",
    )
    parts: dict[str, float]
    matched_words: list[str] = Field(
        [],
        description="Words of the text that the item's title, brand or id has and the models do "
        "not understand: items with more of them come first, whatever their score.",
    )
    matched_photo: str
    picture: str | None
    contributions: dict[str, float] | None = None
    lift: float | None = Field(
        None, description="By how much its words in the feed rank it above its score."
    )


class SearchedGarment(Garment):
    """A garment with what was found for it, best first."""

    results: list[Result]
    explain: dict[str, Any] | None = None


class _Head(Extensible):
    query_id: str
    took_ms: dict[str, float]
    model: ModelName
    warnings: list[str]


class DetectAnswer(_Head):
    """The garments of a photo."""

    photo: str
    photo_id: str = Field(description="Names the photo in further requests, for some minutes.")
    image: ImageSize
    garments: list[DetectedGarment]
    people: list[SeenPerson] = Field([], description=PEOPLE)


class SearchAnswer(_Head):
    """The garments that were searched for, each with its results."""

    photo: str | None = None
    photo_id: str | None = None
    image: ImageSize | None = None
    item_id: str | None = None
    text: str | None = None
    catalogue: str
    k: int
    offset: int
    garments: list[SearchedGarment]
    people: list[SeenPerson] = Field([], description=PEOPLE)


class Item(Extensible):
    """One item as it is stored; `fields` are the shop's own columns."""

    item_id: str
    group_id: str
    title: str
    description: str
    category: str | None
    slot: str | None
    colour: str | None
    brand: str | None
    price: float | None
    currency: str | None
    availability: str | None
    link: str | None
    fields: dict[str, Any]
    picture: str | None
    pictures: list[str]
    updated_at: str


class ItemsPage(BaseModel):
    """Some items by id; `next` is the `after` of the next page."""

    items: list[Item]
    next: str | None


class ItemStatus(BaseModel):
    """What became of one item of a batch."""

    item_id: str
    status: str = Field(description="added, changed, unchanged, deleted, failed or missing")
    details: list[str] = []


class ItemStatuses(BaseModel):
    """What became of each item of a batch, in its order."""

    results: list[ItemStatus]
    counts: dict[str, int]


class Facet(BaseModel):
    """One column's values, most frequent first, or its range."""

    field: str
    values: list[dict[str, Any]] | None = None
    min: float | None = None
    max: float | None = None
    count: int | None = None


class Facets(BaseModel):
    """What items can be filtered by."""

    catalogue: str
    facets: list[Facet]


class Stats(Extensible):
    """What is stored."""

    catalogue: str
    items: int
    photos: int
    garments: int
    vectors: int
    fingerprint: str | None
    revision: int
    slots: dict[str, int]
    layout: dict[str, int] | None
    weights: dict[str, float] | None = Field(
        None, description="How much each part counts in a search by photo, by default."
    )


class CatalogueSize(BaseModel):
    """One catalogue, and how many items it has."""

    name: str
    items: int


class CatalogueList(BaseModel):
    """The catalogues there are; `default` is the one that the server was started with."""

    default: str
    catalogues: list[CatalogueSize]


class JobAnswer(BaseModel):
    """An import: `status` is waiting, running, done or failed."""

    id: str
    catalogue: str
    source: str
    status: str
    detail: str
    progress: dict[str, int | None]
    counts: dict[str, int]
    errors_csv: str | None
    created_at: str
    ended_at: str | None


class ServerStatus(BaseModel):
    """Whether the server is `ok`, or `ready` for queries."""

    status: str


Responses = dict[int | str, dict[str, Any]]
_WORDS = {
    400: "Malformed",
    401: "No key, or an unknown one",
    403: "The key does not allow this",
    404: "Nothing has that name",
    409: "Nothing is indexed yet, or an import is running",
    413: "Too large",
    415: "Neither JSON nor a form",
    422: "Not understood, or impossible as it stands",
    429: "Too many requests; Retry-After says when to send it again",
    503: "Busy; Retry-After says when to send it again",
}


def problems(*statuses: int) -> Responses:
    """Return the OpenAPI description of problems, those of keys and rates among them."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": _WORDS[status], "content": content}
        for status in sorted({401, 403, 429, *statuses})
    }
