"""Define the options of a search besides its query: number of hits, filters, weights, order."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from indexer.errors import QueryError
from indexer.fused_vector import check_weight, normalise_weights
from indexer.garments import WORN_SLOTS, Slot
from search.filters.conditions import Filters, Node
from search.query.keyword_index import NOTHING_KNOWN, KnownWords
from search.query.people import check_person

MAX_K = 1_000
# Scores of one text's hits lie within 0.5 of each other, so an item that has all the words asked
# for, and rare ones, comes first.
WORDS_WEIGHT = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """How to search. `garment` is `all`, a slot, or the number of one of the photo's garments.

    `person` is `all`, `main`, or the number of one of the photo's people: only theirs are searched.
    Weights that are not named keep their defaults. Of the `k` hits from `offset` on, those that
    score less than `min_score` are left out.
    `diversity` and `popularity`, 0..1, change the order of hits (`search/ranking/rerank.py`);
    `words` is the weight of a text's words in the feed (`search/retrieval/keyword_boost.py`), and
    `known` the words that the feed has.
    """

    k: int = 10
    garment: str | int = "all"
    person: str | int = "all"
    filters: Filters = field(default_factory=Filters)
    weights: Mapping[str, float] = field(default_factory=dict)
    strict_slot: bool = True
    group: bool = True
    diversity: float = 0.0
    popularity: float = 0.0
    words: float = WORDS_WEIGHT
    known: KnownWords = NOTHING_KNOWN
    offset: int = 0
    min_score: float = 0.0

    def check(self) -> None:
        """Raise QueryError for a value out of its range."""
        if not 1 <= self.k <= MAX_K:
            raise QueryError(f"k is {self.k}; ask for 1 to {MAX_K} items")
        if not 0 <= self.offset <= MAX_K - self.k:
            raise QueryError(
                f"k + offset is {self.k + self.offset}; an offset is 0 or more, and {MAX_K} hits "
                "are ranked"
            )
        is_number = isinstance(self.garment, int) and self.garment >= 0
        if self.garment not in ("all", *WORN_SLOTS) and not is_number:
            raise QueryError(
                f"garment {self.garment!r}; one of all, {', '.join(WORN_SLOTS)}, or a garment's "
                "number in the photo"
            )
        check_person(self.person)
        normalise_weights(self.weights)
        check_share("min_score", self.min_score)
        check_share("diversity", self.diversity)
        check_share("popularity", self.popularity)
        check_weight("words", self.words)

    def with_words_apart(self) -> "Options":
        """Return the options with the weight of `words` moved from the weights to its own field."""
        of_parts = {part: weight for part, weight in self.weights.items() if part != "words"}
        return replace(self, weights=of_parts, words=self.weights.get("words", self.words))

    @property
    def garment_slot(self) -> Slot | None:
        """The slot that is asked for, if `garment` names one."""
        return next((slot for slot in WORN_SLOTS if slot == self.garment), None)

    def narrowed(self, *conditions: Node) -> "Options":
        """Return the options with more conditions that hits must meet."""
        return replace(self, filters=Filters((*self.filters.conditions, *conditions)))

    def slots_for(self, meant: Slot) -> list[Slot] | None:
        """Return the slots to search for a garment of slot `meant`; None for all of them."""
        asked = self.garment_slot or meant
        return [slot for slot in WORN_SLOTS if self.strict_slot and slot == asked] or None


def check_share(name: str, value: float) -> None:
    """Raise QueryError for an option outside 0..1."""
    if not 0.0 <= value <= 1.0:  # NaN is not, either
        raise QueryError(f"{name} is {value:g}; give a number from 0 (off) to 1")
