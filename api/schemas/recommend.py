"""Define the requests and answers of recommendations and events."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from api.schemas.requests import (
    MAX_FIELDS,
    MAX_LIKES,
    ItemId,
    Mix,
    OnePerson,
    PhotoSource,
    Share,
    ShortText,
    Strict,
    Weights,
)
from api.schemas.responses import (
    PEOPLE,
    Extensible,
    Garment,
    ImageSize,
    ModelName,
    Result,
    SearchedGarment,
    SeenPerson,
)

MAX_EVENTS = 1_000  # in one request
MOST_AHEAD = timedelta(minutes=5)  # of a telephone's clock
MOST_BEHIND = timedelta(days=30)
PlainId = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._~:-]+$")]
SlotName = Literal["top", "bottom", "dress", "outer", "shoes", "bag", "headwear"]


class Recommending(PhotoSource):
    """The options of recommendations for a photo."""

    garment: (
        Annotated[int, Field(ge=0, le=1_000, strict=True)]
        | Literal["all", "top", "bottom", "dress", "outer", "shoes", "bag", "headwear"]
    ) = Field("all", description="A garment of the photo, by its id or its slot.")
    person: OnePerson | Literal["main"] = Field(
        "main", description="Whose garments: the main person's, or one's by id."
    )
    k: int = Field(5, ge=1, le=200, strict=True, description="Items for each slot.")
    filter: dict[str, Any] | list[Any] | None = Field(None, description="As in a search.")
    in_stock_only: bool = True
    weights: Weights = Field(default_factory=Weights)
    diversity: Share = 0.0
    popularity: Share = 0.0
    like: list[ItemId] = Field([], max_length=MAX_LIKES)
    dislike: list[ItemId] = Field([], max_length=MAX_LIKES)
    mix: Mix = Field(default_factory=Mix)
    fields: list[ShortText] | None = Field(None, max_length=MAX_FIELDS)


class CompleteRequest(Recommending):
    """A garment of a photo, and what to look for beside it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"photo_id": "...", "garment": "top", "slots": ["bottom"]}]}
    )

    slots: list[SlotName] = Field([], max_length=7, description="By default all others.")


class OutfitRequest(Recommending):
    """A photo, of which one person's whole outfit is wanted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"complete": True, "k": 3}]})

    complete: bool = Field(True, description="Also return items for slots that are not worn.")


class EventIn(Strict):
    """One thing that a shopper did. No name, address or account belongs here."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "cart", "item_id": "sku-1", "session": "a8f3"}]}
    )

    kind: Literal["view", "click", "cart", "buy"]
    item_id: ItemId
    query_id: PlainId | None = Field(None, description="The answer that showed the item.")
    session: PlainId | None = Field(
        None,
        description="A short-lived random id: of each kind one event a day and group counts.",
    )
    at: AwareDatetime | None = Field(None, description="With its time zone; by default now.")

    @field_validator("at")
    @classmethod
    def _is_recent(cls, at: datetime | None) -> datetime | None:
        now = datetime.now(UTC)
        if at is not None and not now - MOST_BEHIND <= at <= now + MOST_AHEAD:
            raise ValueError(
                f"must be within the last {MOST_BEHIND.days} days, and not in the future"
            )
        return at


class EventsIn(Strict):
    """Events to store."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"events": [{"kind": "click", "item_id": "sku-1"}]}]}
    )

    events: list[EventIn] = Field(min_length=1, max_length=MAX_EVENTS)


class EventsStored(BaseModel):
    """How many events were stored; those of items that are not in the catalogue were not."""

    stored: int
    unknown_items: list[str]


class Completing(Extensible):
    """What goes with a garment, of one slot; a result's `score` says how well."""

    id: int
    slot: str
    results: list[Result]
    trust: float = Field(
        ge=0, le=1, description="Share that the catalogue's own photos decide; the rest is learned."
    )
    looks: int = Field(
        ge=0, description="How many photos show such a garment with one of this slot."
    )


class _Answer(Extensible):
    query_id: str
    took_ms: dict[str, float]
    model: ModelName
    warnings: list[str]
    catalogue: str
    k: int


class CompleteAnswer(_Answer):
    """The slots that were looked in, each with what goes with the garment."""

    item_id: str | None = None
    photo_id: str | None = None
    image: ImageSize | None = None
    worn: list[Garment]
    garments: list[Completing]
    people: list[SeenPerson] = Field([], description=PEOPLE)


class OutfitAnswer(_Answer):
    """What one person wears, an item for each garment, and what could be added."""

    photo: str
    photo_id: str
    image: ImageSize
    garments: list[SearchedGarment]
    completing: list[Completing]
    people: list[SeenPerson] = Field([], description=PEOPLE)
    total: dict[str, float] = Field(description="Sum of the garments' items, by currency.")
    unpriced: int
