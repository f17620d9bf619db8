"""Define what programs may send: each request's fields, their limits, examples for OpenAPI."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, model_validator

from search.query.options import MAX_K, WORDS_WEIGHT
from search.query.text_query import MAX_CHARACTERS

MAX_BASE64 = 34_000_000  # characters: 25 MB as base64
MAX_LIKES = 50  # items liked, or disliked, in one query
MAX_ITEMS = 100  # in one request; more is an import
MAX_PHOTOS = 10  # of one item
MAX_FIELDS = 50

ItemId = Annotated[str, Field(min_length=1, max_length=200)]
ShortText = Annotated[str, Field(min_length=1, max_length=200)]
OnePerson = Annotated[int, Field(ge=0, le=1_000, strict=True)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


def _one_line(text: str) -> str:
    if any(character in text for character in "\x00\r\n"):
        raise ValueError("must be one line, without control characters")
    return text


class Strict(BaseModel):
    """A request, which refuses unknown fields."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class PhotoSource(Strict):
    """Where the photo is, when it is not sent as a file: at most one of these."""

    photo_base64: str | None = Field(None, max_length=MAX_BASE64, description="A picture file.")
    photo_url: str | None = Field(
        None,
        max_length=2_000,
        description="http or https; fetched only from public addresses.",
        examples=["https://example.com/street.jpg"],
    )
    photo_id: str | None = Field(
        None,
        max_length=100,
        description="From an answer some minutes ago, instead of an upload.",
    )

    def sources(self) -> list[str]:
        """Return the fields that name a photo or another starting point."""
        names = ("photo_base64", "photo_url", "photo_id", "item_id", "embedding")
        return [name for name in names if getattr(self, name, None) is not None]

    @model_validator(mode="after")
    def _one_source(self) -> "PhotoSource":
        if len(given := self.sources()) > 1:
            raise ValueError(f"give one of {' and '.join(given)}, not several")
        return self


class DetectRequest(PhotoSource):
    """What to return for each of the photo's garments."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"masks": False}]})

    masks: bool = Field(True, description="COCO run-length masks of each garment.")
    embeddings: bool = Field(False, description="The fused vector of each garment.")


class Weights(Strict):
    """How much each part of the score counts; weights left out keep their defaults."""

    visual: Weight | None = None
    colour: Weight | None = Field(None, validation_alias=AliasChoices("colour", "color"))
    attributes: Weight | None = None

    def given(self) -> dict[str, float]:
        """Return the weights that were sent for the parts of the score."""
        return {name: value for name, value in self if value is not None and name != "words"}


class SearchWeights(Weights):
    """The same, and how much keyword matches of the text in the feed count."""

    words: Weight = Field(
        WORDS_WEIGHT, description="How far items rise whose feed has the text's words; 0: not."
    )


class Mix(Strict):
    """How much the words, likes and dislikes count beside the photo's or item's 1."""

    text: Weight | None = None
    like: Weight | None = None
    dislike: Weight | None = None

    def given(self) -> dict[str, float]:
        """Return the weights that were sent."""
        return {name: value for name, value in self if value is not None}


class SearchRequest(PhotoSource):
    """What to look for, and how."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": "navy striped shirt", "k": 5},
                {
                    "item_id": "sku-1",
                    "text": "but in red",
                    "filter": {"field": "price", "lte": 80},
                    "weights": {"visual": 1.0, "colour": 0.5},
                    "in_stock_only": True,
                },
            ]
        }
    )

    item_id: ItemId | None = Field(None, description="An item of the catalogue.")
    embedding: list[float] | None = Field(
        None, max_length=20_000, description="A fused vector, as `detect` returns it."
    )
    text: str | None = Field(None, min_length=1, max_length=MAX_CHARACTERS)
    like: list[ItemId] = Field([], max_length=MAX_LIKES)
    dislike: list[ItemId] = Field([], max_length=MAX_LIKES)
    mix: Mix = Field(default_factory=Mix)
    garment: (
        Annotated[int, Field(ge=0, le=1_000, strict=True)]
        | Literal["all", "top", "bottom", "dress", "outer", "shoes", "bag", "headwear"]
    ) = Field("all", description="All of the photo's garments, those of a slot, or one by its id.")
    person: OnePerson | Literal["main", "all"] = Field(
        "all", description="Whose garments: everybody's, the main person's, or one's by id."
    )
    box: tuple[Share, Share, Share, Share] | None = Field(
        None, description="x1, y1, x2, y2 in 0..1, drawn on the photo around one garment."
    )
    k: int = Field(10, ge=1, le=MAX_K, strict=True)
    offset: int = Field(0, ge=0, lt=MAX_K, strict=True)
    filter: dict[str, Any] | list[Any] | None = Field(
        None,
        description="`{field, eq|ne|in|gte|lte|exists}`, `{and: []}`, `{or: []}`, `{not: {}}`.",
        examples=[{"and": [{"field": "colour", "in": ["navy"]}, {"field": "price", "lte": 80}]}],
    )
    weights: SearchWeights = Field(default_factory=SearchWeights)
    colour: ShortText | list[ShortText] = Field(
        [],
        max_length=200,
        validation_alias=AliasChoices("colour", "color"),
        description="Names or hex values that replace the colours of the photo.",
    )
    min_score: Share = 0.0
    diversity: Share = Field(0.0, description="0: by score; 1: as different as can be.")
    popularity: Share = Field(0.0, description="How much events sent here count, within a slot.")
    strict_slot: bool = True
    group_by: Literal["group_id", "item_id"] = "group_id"
    in_stock_only: bool = False
    fields: list[ShortText] | None = Field(
        None,
        max_length=MAX_FIELDS,
        description="The items' columns to return, the shop's own too.",
    )
    explain: bool = False

    @property
    def colours(self) -> list[str]:
        """The colours as a list."""
        return [self.colour] if isinstance(self.colour, str) else self.colour

    @model_validator(mode="after")
    def _fits_together(self) -> "SearchRequest":
        if self.k + self.offset > MAX_K:
            raise ValueError(f"k + offset is {self.k + self.offset}; at most {MAX_K} are ranked")
        if self.box and not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise ValueError("box must be x1, y1, x2, y2 with x1 < x2 and y1 < y2")
        return self


class ItemFields(Strict):
    """An item's fields; in a change, fields left out stay as they are."""

    group_id: Annotated[ItemId, AfterValidator(_one_line)] | None = None
    title: str | None = Field(None, max_length=1_000)
    description: str | None = Field(None, max_length=20_000)
    category: str | None = Field(
        None,
        max_length=300,
        description="In the shop's own words; it decides which garment is meant.",
    )
    colour: str | None = Field(
        None, max_length=200, validation_alias=AliasChoices("colour", "color")
    )
    brand: str | None = Field(None, max_length=200)
    price: float | None = Field(None, ge=0, le=1e12, allow_inf_nan=False)
    currency: str | None = Field(None, pattern="^[A-Z]{3}$", examples=["EUR"])
    availability: Literal["in_stock", "out_of_stock", "preorder", "backorder"] | None = None
    link: str | None = Field(None, max_length=2_000)
    fields: dict[ShortText, Annotated[str, Field(max_length=5_000)]] | None = Field(
        None, max_length=MAX_FIELDS, description="The shop's own columns."
    )


class ItemIn(ItemFields):
    """One item to store, with its pictures as files or addresses, the main one first."""

    item_id: Annotated[ItemId, AfterValidator(_one_line)]
    photos_base64: list[Annotated[str, Field(max_length=MAX_BASE64)]] = Field(
        [], max_length=MAX_PHOTOS
    )
    photo_urls: list[Annotated[str, Field(max_length=2_000)]] = Field([], max_length=MAX_PHOTOS)


class ItemsIn(Strict):
    """Items to store."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "item_id": "sku-1",
                            "title": "Linen shirt",
                            "category": "Clothing > Tops > Shirts",
                            "price": 39.0,
                            "currency": "EUR",
                            "availability": "in_stock",
                            "fields": {"material": "linen"},
                            "photo_urls": ["https://example.com/sku-1.jpg"],
                        }
                    ]
                }
            ]
        }
    )

    items: list[ItemIn] = Field(min_length=1, max_length=MAX_ITEMS)


class ItemChange(ItemFields):
    """One item's changes."""

    item_id: ItemId


class ItemChanges(Strict):
    """Changes of several items."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"items": [{"item_id": "sku-1", "price": 29.0, "availability": "out_of_stock"}]}
            ]
        }
    )

    items: list[ItemChange] = Field(min_length=1, max_length=MAX_ITEMS)


class ItemIds(Strict):
    """Items to delete."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"item_ids": ["sku-1", "sku-2"]}]})

    item_ids: list[ItemId] = Field(min_length=1, max_length=1_000)


class ImportRequest(Strict):
    """A feed in the server's import folder, if none is sent with the request."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"source": "feed.tsv", "images": "pictures"}]}
    )

    source: str | None = Field(
        None,
        min_length=1,
        max_length=500,
        description="A feed file or a folder of photos, within the import folder.",
    )
    images: str | None = Field(
        None, max_length=500, description="Folder of the feed's pictures, within that folder."
    )
    format: str = Field("auto", max_length=50)
    mapping: list[Annotated[str, Field(max_length=500)]] = Field(
        default_factory=list,
        max_length=200,
        description="Columns of a CSV, JSON or Parquet feed, Lapel's name first.",
        examples=[["id=ref", "photos=front,back"]],
    )
