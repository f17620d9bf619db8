"""The parts of one query as a caller names them: a photo or an item, words, colours, likes."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from indexer.colour.prototypes import mean_prototype
from indexer.description.describe import DescribedGarment, Describer
from indexer.errors import QueryError
from indexer.garments import Person, Slot
from indexer.images.photo import Photo
from search.answer_facts import NOTHING_FOUND, to_ms


@dataclass(frozen=True, slots=True, eq=False)
class DescribedPhoto:
    """The garments of a photo, warnings about it, and the milliseconds that each stage took."""

    garments: Sequence[DescribedGarment]
    warnings: Sequence[str] = ()
    took_ms: Mapping[str, float] = field(default_factory=dict)

    @property
    def people(self) -> tuple[Person, ...]:
        """The people in the photo, the main one first."""
        return self.garments[0].people if self.garments else ()


@dataclass(frozen=True, slots=True, eq=False)
class QueryParts:
    """What to search for. A photo, an item or an embedding is the start; the rest moves it.

    `photo` describes the photo when it is called. `embedding` is a fused vector (dim,). `colours`
    are names or hex values. `item_id`, `likes` and `dislikes` are ids of the catalogue's items,
    `shares` the weights of text, like and dislike beside the start's 1. `has_box` when `photo`
    gives the one garment in a box, which is searched for whatever its slot.
    """

    photo: Callable[[], DescribedPhoto] | None = None
    item_id: str | None = None
    embedding: Sequence[float] | None = None
    text: str | None = None
    colours: Sequence[str] = ()
    likes: Sequence[str] = ()
    dislikes: Sequence[str] = ()
    shares: Mapping[str, float] = field(default_factory=dict)
    has_box: bool = False

    @property
    def sources(self) -> list[str]:
        """The names of the parts that are given."""
        named = {
            "photo": self.photo is not None,
            "item": self.item_id is not None,
            "embedding": self.embedding is not None,
            "text": self.text is not None,
            "colour": bool(self.colours),
            "like": bool(self.likes),
            "dislike": bool(self.dislikes),
        }
        return [name for name, is_given in named.items() if is_given]

    @property
    def item_ids(self) -> list[str]:
        """The ids of all items that are named."""
        asked = [] if self.item_id is None else [self.item_id]
        return [*asked, *self.likes, *self.dislikes]

    def check(self, garment: str | int = "all", person: str | int = "all") -> None:
        """Raise QueryError for parts that do not go together, also with what is asked of a photo.

        These are a garment and a person, as in `Options`.
        """
        starts = [name for name in self.sources if name in ("photo", "item", "embedding")]
        if len(starts) > 1:
            raise QueryError(f"{' and '.join(starts)} are given; a search starts from one of them")
        if not set(self.sources) - {"dislike"}:
            raise QueryError(
                "nothing to search for; give a photo, an item, a text, an embedding, a colour or "
                "an item that is liked"
            )
        if self.colours:
            mean_prototype(self.colours)  # refuses a colour that it does not know
        if self.photo is None and (self.has_box or isinstance(garment, int)):
            raise QueryError("a box and a garment's number are of a photo; give the photo too")
        if self.photo is None and person != "all":
            raise QueryError(f"person {person} is one in a photo; give the photo too")
        if self.has_box and person != "all":
            raise QueryError(f"a box is around one garment; leave out the box or person {person}")


def describe_photo(
    describer: Describer, photo: Photo, wanted: Slot | None = None
) -> DescribedPhoto:
    """Describe a photo's garments, or the one of a slot, on this thread."""
    before = dict(describer.seconds)
    start = time.perf_counter()
    garments = describer.describe([photo], [wanted])[0]
    took = {stage: s - before.get(stage, 0.0) for stage, s in describer.seconds.items()}
    took["total"] = time.perf_counter() - start
    return DescribedPhoto(
        garments,
        (NOTHING_FOUND,) if garments[0].is_fallback else (),
        {stage: to_ms(seconds) for stage, seconds in took.items()},
    )
