"""A photo in, the catalogue's most similar items for each garment out: the story of a search.

describe -> choose garments -> slots to look in -> filters -> vectors -> items -> rank
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import DescribedGarment, Describer
from indexer.fused_vector import Layout
from indexer.garments import Slot
from indexer.images.photo import Photo
from search.answer_facts import NOT_UNDERSTOOD, NOTHING_FOUND, new_id, not_in_photo, to_ms
from search.query.keyword_index import find_words
from search.query.options import WORDS_WEIGHT, Options
from search.query.text_query import TextQuery, parse_text, raise_not_understood
from search.ranking.confidence import Calibration, no_good_match, read_calibration
from search.ranking.hits import Hit
from search.retrieval.exact_scores import Sought
from search.retrieval.retrieve import retrieve

__all__ = ["Answer", "GarmentAnswer", "Options", "Searcher", "TextAnswer", "detect_photo"]

# Below this the detector may well mean the other of the two: a zipped top, sold as a jacket.
SURE_OF_SLOT = 0.5


@dataclass(frozen=True, slots=True)
class GarmentAnswer:
    """One garment of the photo and its hits. `id` is its place in the photo."""

    id: int
    garment: DescribedGarment
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """All garments of one photo with their hits."""

    query_id: str
    fingerprint: str
    garments: tuple[GarmentAnswer, ...]
    warnings: tuple[str, ...]
    took_ms: Mapping[str, float]

    @property
    def described(self) -> tuple[DescribedGarment, ...]:
        """The garments without their hits."""
        return tuple(each.garment for each in self.garments)


@dataclass(frozen=True, slots=True)
class TextAnswer:
    """What a text was read as, and its hits."""

    query_id: str
    fingerprint: str
    query: TextQuery
    hits: tuple[Hit, ...]
    warnings: tuple[str, ...]
    took_ms: Mapping[str, float]


class Searcher:
    """Answers queries on one catalogue."""

    layout: Layout
    """How long each part of the catalogue's vectors is."""

    def __init__(self, catalogue: Catalogue, describer: Describer) -> None:
        """Raise CatalogueEmpty or FingerprintMismatch for a catalogue not to be searched so."""
        self.layout = catalogue.check_models(describer.models.fingerprint)
        self.catalogue = catalogue
        self.describer = describer

    def search_photo(self, photo: Photo, options: Options) -> Answer:
        """Find the garments in a photo and, for each asked for, the most similar items.

        Raises QueryError.
        """
        options.check()
        found = detect_photo(self.describer, photo)
        start = time.perf_counter()
        chosen = [found.garments[i] for i in chosen_ids(found.described, options.garment)]
        judge = read_calibration(self.catalogue)
        hits = search_judged(self, judge, [each.garment for each in chosen], options)
        garments = tuple(
            replace(each, hits=tuple(own)) for each, own in zip(chosen, hits, strict=True)
        )
        poor = [no_good_match(each.hits, each.garment.slot) for each in garments]
        searched = to_ms(time.perf_counter() - start)
        total = round(found.took_ms["total"] + searched, 1)
        missed = not_in_photo(options.garment, (each.slot for each in found.described))
        return replace(
            found,
            garments=garments,
            warnings=(*(found.warnings or (() if garments else (missed,))), *filter(None, poor)),
            took_ms={**found.took_ms, "search": searched, "total": total},
        )

    def search_text(self, text: str, options: Options) -> TextAnswer:
        """Find the items that fit a shopper's words best.

        A garment named in them is looked for in its slot; what the models do not understand, in
        the feed's own words. Raises QueryError, TextTowerUntrained.
        """
        options.check()
        start = time.perf_counter()
        query = parse_text(text, self.describer.models)
        read = time.perf_counter()
        query = self.look_up(query, options.words)
        if query.is_empty:
            raise_not_understood(query.text, self.describer.models)
        weighted = replace(options, weights=query.weights(options.weights), known=query.known)
        hits = self.search_vector(query.vector, options.slots_for(query.slot), weighted)
        took = {"embed": read - start, "search": time.perf_counter() - read}
        took["total"] = sum(took.values())
        return TextAnswer(
            new_id(),
            self.describer.models.fingerprint,
            query,
            tuple(hits),
            ()
            if query.is_understood or any(hit.matched_words for hit in hits)
            else (NOT_UNDERSTOOD,),
            {stage: to_ms(seconds) for stage, seconds in took.items()},
        )

    def look_up(self, query: TextQuery, weight: float = WORDS_WEIGHT) -> TextQuery:
        """Return a text that was heard with what the feed knows of its words, if they count."""
        if weight <= 0:
            return query
        with self.catalogue.engine.connect() as sql:
            words = find_words(sql, self.catalogue.id, query.words, query.codes)
        return query.with_known(words, self.layout)

    def search_garment(self, garment: DescribedGarment, options: Options) -> list[Hit]:
        """Return the most similar items for a described garment, best first."""
        return self.search_garments([garment], options)[0]

    def search_garments(
        self, garments: Sequence[DescribedGarment], options: Options
    ) -> list[list[Hit]]:
        """Return the most similar items for each of several, which takes less than one by one."""
        return self.search_vectors(
            [Sought(each.vector, slots_of(each, options), options.weights) for each in garments],
            options,
        )

    def search_vector(
        self, vector: NDArray[np.float32], slots: Sequence[Slot] | None, options: Options
    ) -> list[Hit]:
        """Return the items nearest to a fused vector (dim,), among these slots when given.

        If k items (groups) match the filters, k come back.
        """
        return self.search_vectors([Sought(vector, slots, options.weights)], options)[0]

    def search_vectors(self, sought: Sequence[Sought], options: Options) -> list[list[Hit]]:
        """Return the items nearest to each of several vectors; weights are each one's own."""
        return retrieve(self.catalogue, self.layout, sought, options)


def search_judged(
    searcher: Searcher,
    calibration: Calibration | None,
    garments: Sequence[DescribedGarment],
    options: Options,
) -> list[list[Hit]]:
    """Return the most similar items for each of a photo's garments, judged where that can be.

    That is: where the catalogue is calibrated, for these weights.
    """
    if calibration is None or not calibration.fits(options.weights):
        return searcher.search_garments(garments, options)
    options.check()
    wide = replace(options, k=max(options.k, 2))  # a hit alone does not tell its lead
    found = searcher.search_garments(garments, wide)
    grouped = replace(wide, k=2, group=True, diversity=0.0, popularity=0.0)
    is_plain = options.group and not (options.diversity or options.popularity)
    firsts = [hits[:2] for hits in found]
    if not is_plain:
        firsts = searcher.search_garments(garments, grouped)
    judged = []
    for garment, hits, first in zip(garments, found, firsts, strict=True):
        # What is said of a hit does not depend on the order in which hits are shown.
        by_score = sorted(hits[: options.k], key=lambda hit: -hit.score)
        told = calibration.judge(by_score, first, garment.slot, garment.category)
        of_item = {hit.item.item_id: hit for hit in told}
        judged.append([of_item[hit.item.item_id] for hit in hits[: options.k]])
    return judged


def chosen_ids(garments: Sequence[DescribedGarment], asked: str) -> list[int]:
    """Return the places of a photo's garments of a slot, or of `all`; a whole photo is any."""
    return [
        i
        for i, garment in enumerate(garments)
        if asked in ("all", garment.slot) or garment.is_fallback
    ]


def slots_of(garment: DescribedGarment, options: Options) -> list[Slot] | None:
    """Return the slots to look in: the garment's; of a doubtful top or outer garment, both."""
    if garment.slot == "unknown" or not options.strict_slot:
        return options.slots_for("unknown")
    if garment.slot in ("top", "outer") and garment.confidence < SURE_OF_SLOT:
        return ["top", "outer"]
    return [garment.slot]


def detect_photo(describer: Describer, photo: Photo) -> Answer:
    """Find and describe a photo's garments; the answer has no hits."""
    before = dict(describer.seconds)
    start = time.perf_counter()
    described = describer.describe([photo])[0]
    took = {stage: s - before.get(stage, 0.0) for stage, s in describer.seconds.items()}
    took["total"] = time.perf_counter() - start
    return Answer(
        new_id(),
        describer.models.fingerprint,
        tuple(GarmentAnswer(i, garment, ()) for i, garment in enumerate(described)),
        (NOTHING_FOUND,) if described[0].is_fallback else (),
        {stage: to_ms(seconds) for stage, seconds in took.items()},
    )
