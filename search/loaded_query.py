"""A query with everything that its parts name: what to search for, where, and what to leave out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.description.describe import DescribedGarment
from indexer.fused_vector import Layout
from indexer.garments import Slot
from search.answer import GarmentAnswer, NamedGarment, SearchTarget
from search.answer_facts import NOT_UNDERSTOOD
from search.filters.conditions import Condition
from search.filters.json_filters import not_these
from search.query.mixing import PartVectors, check_vector
from search.query.options import Options
from search.query.parts import DescribedPhoto, QueryParts
from search.query.people import choose_garments, none_found
from search.query.text_query import TextQuery
from search.ranking.confidence import no_good_match
from search.retrieval.stored_items import StoredItem

# Below this the detector may well mean the other of the two: a zipped top, sold as a jacket.
SURE_OF_SLOT = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class LoadedQuery:
    """A query's parts with everything that they name."""

    parts: QueryParts
    layout: Layout
    items: Mapping[str, StoredItem]
    photo: DescribedPhoto | None
    text: TextQuery | None
    colour_words: TextQuery | None

    @property
    def words(self) -> TextQuery | None:
        """The words that move the vector."""
        return self.text or self.colour_words

    def targets(self, options: Options) -> dict[int, SearchTarget]:
        """Return the garments to look for, by their number in the photo (else one, 0)."""
        if self.photo is not None:
            garments = self.photo.garments
            if self.parts.has_box:
                return dict(enumerate(garments))
            chosen = choose_garments(garments, options.garment, options.person)
            return {i: garments[i] for i in chosen}
        if self.parts.item_id is not None:
            return {0: self.items[self.parts.item_id]}
        vector = None
        if self.parts.embedding is not None:
            vector = check_vector(self.layout, self.parts.embedding)
        return {0: self._named_garment(vector)}

    def _named_garment(self, vector: NDArray[np.float32] | None) -> NamedGarment:
        """Return the garment that a text, likes or a caller's own vector look for."""
        colours = tuple(self.parts.colours)
        if self.text is not None:
            named = colours or self.text.colours
            return NamedGarment(self.text.slot, self.text.category, named, vector)
        liked = {self.items[item_id].slot for item_id in self.parts.likes}
        slot: Slot = liked.pop() if vector is None and len(liked) == 1 else "unknown"
        return NamedGarment(slot, None, colours, vector)

    def vectors(self) -> PartVectors:
        """Return the vectors of what moves the start."""
        return PartVectors(
            self.words,
            self.parts.colours,
            [self.items[item_id].vector for item_id in self.parts.likes],
            [self.items[item_id].vector for item_id in self.parts.dislikes],
            self.parts.shares,
        )

    def excluded(self, by_group: bool) -> list[Condition]:
        """Return the condition that leaves out the item asked with and disliked ones."""
        asked = [] if self.parts.item_id is None else [self.parts.item_id]
        items = [self.items[item_id] for item_id in (*asked, *self.parts.dislikes)]
        if not items:
            return []
        if by_group:
            return [not_these("group_id", [item.group_id for item in items])]
        return [not_these("item_id", [item.item_id for item in items])]

    def slots(self, target: SearchTarget, options: Options) -> Sequence[Slot] | None:
        """Return the slots to look in; None for all of them."""
        named: Slot = "unknown" if self.text is None else self.text.slot
        if isinstance(target, DescribedGarment) and named in ("unknown", target.slot):
            return slots_of(target, options)
        # A photo of a shirt "as a dress" is looked for among dresses.
        return options.slots_for(named if named != "unknown" else target.slot)

    def warnings(self, garments: Sequence[GarmentAnswer], options: Options) -> list[str]:
        """Return what to say of the photo, of poor hits, and of a text not understood."""
        warnings: list[str] = []
        if self.photo is not None:
            warnings += self.photo.warnings
            if not garments:
                warnings.append(none_found(self.photo.garments, options.garment, options.person))
        poor = [no_good_match(each.hits, each.garment.slot) for each in garments]
        warnings += filter(None, poor)
        is_matched = any(hit.matched_words for each in garments for hit in each.hits)
        if self.text is not None and not (self.text.is_understood or is_matched):
            warnings.append(NOT_UNDERSTOOD)
        return warnings


def slots_of(garment: DescribedGarment, options: Options) -> list[Slot] | None:
    """Return the slots to look in: the garment's; of a doubtful top or outer garment, both."""
    if garment.slot == "unknown" or not options.strict_slot:
        return options.slots_for("unknown")
    if garment.slot in ("top", "outer") and garment.confidence < SURE_OF_SLOT:
        return ["top", "outer"]
    return [garment.slot]
