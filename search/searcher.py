"""Run a search: from the parts of a query to ranked hits for each garment.

items, photo and words are loaded -> garments to look for -> vectors, slots, filters -> retrieval
-> confidence -> answer. The command line, HTTP and Python all call `Searcher.answer`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import DescribedGarment, Describer
from indexer.fused_vector import Layout, normalise_weights
from indexer.garments import Slot
from indexer.images.photo import Photo
from search.answer import Answer, GarmentAnswer, SearchTarget
from search.answer_facts import new_id, to_ms
from search.loaded_query import LoadedQuery, slots_of
from search.query.keyword_index import NOTHING_KNOWN, find_words
from search.query.mixing import combine, combined_weights
from search.query.options import WORDS_WEIGHT, Options
from search.query.parts import QueryParts, describe_photo
from search.query.text_query import TextQuery, parse_text, raise_not_understood
from search.ranking.confidence import Calibration, read_calibration
from search.ranking.rank import Hit
from search.retrieval.exact_scores import VectorQuery
from search.retrieval.retrieve import retrieve
from search.retrieval.stored_items import StoredItem, load_items

__all__ = ["Answer", "GarmentAnswer", "Options", "QueryParts", "Searcher", "detect_photo"]

T = TypeVar("T")


class RunModels(Protocol):
    """Runs work that uses the models, and returns its result: a server has a thread for it."""

    def __call__(self, work: Callable[[], T], /) -> T:
        """Run the work."""


def run_here(work: Callable[[], T]) -> T:
    """Run work on the calling thread."""
    return work()


class Searcher:
    """Answers queries on one catalogue."""

    layout: Layout
    """How long each part of the catalogue's vectors is."""

    def __init__(
        self, catalogue: Catalogue, describer: Describer, run_models: RunModels = run_here
    ) -> None:
        """Raise CatalogueEmpty or FingerprintMismatch for a catalogue that these cannot search."""
        self.layout = catalogue.check_models(describer.models.fingerprint)
        self.catalogue = catalogue
        self.describer = describer
        self._run_models = run_models

    def answer(self, parts: QueryParts, options: Options) -> Answer:
        """Return the most similar items for each garment of a query.

        The photo is described after all else has been checked. Raises QueryError, ItemUnknown,
        TextTowerUntrained.
        """
        begin = time.perf_counter()
        options.check()
        parts.check(options.garment, options.person)
        items = self.load_items(parts.item_ids)
        photo = None if parts.photo is None else parts.photo()
        read = time.perf_counter()
        query = LoadedQuery(parts, self.layout, items, photo, *self._read_words(parts, options))
        took = dict(photo.took_ms) if photo is not None else {}
        start = time.perf_counter()
        if query.words is not None:
            took["text"] = to_ms(start - read)
        garments = self._search(query, query.targets(options), options)
        end = time.perf_counter()
        took |= {"search": to_ms(end - start), "total": to_ms(end - begin)}
        warnings = query.warnings(garments, options)
        shown = tuple(replace(each, hits=_page(each.hits, options)) for each in garments)
        fingerprint = self.describer.models.fingerprint
        return Answer(new_id(), fingerprint, shown, tuple(warnings), took, query.text, photo)

    def search_photo(self, photo: Photo, options: Options) -> Answer:
        """Find the garments in a photo and, for each asked for, the most similar items.

        Raises QueryError.
        """
        return self.answer(
            QueryParts(photo=partial(describe_photo, self.describer, photo)), options
        )

    def search_text(self, text: str, options: Options) -> Answer:
        """Find the items that fit a shopper's words best.

        A garment named in them is looked for in its slot; words that the models do not understand
        are looked up in the feed. Raises QueryError, TextTowerUntrained.
        """
        return self.answer(QueryParts(text=text), options)

    def load_items(self, item_ids: Sequence[str]) -> dict[str, StoredItem]:
        """Return the catalogue's items by id. Raises ItemUnknown naming those it does not have."""
        with self.catalogue.engine.connect() as sql:
            return load_items(sql, self.catalogue.id, self.layout, item_ids)

    def look_up(self, query: TextQuery, weight: float = WORDS_WEIGHT) -> TextQuery:
        """Return a parsed text with what the feed has of its words, if they are to count."""
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
        weights = [self.layout.weights_for(each.vector, options.weights) for each in garments]
        return self.search_vectors(
            [
                VectorQuery(each.vector, slots_of(each, options), own)
                for each, own in zip(garments, weights, strict=True)
            ],
            options,
        )

    def search_vector(
        self, vector: NDArray[np.float32], slots: Sequence[Slot] | None, options: Options
    ) -> list[Hit]:
        """Return the items nearest to a fused vector (dim,), among these slots when given.

        If k items (groups) match the filters, k come back.
        """
        return self.search_vectors([VectorQuery(vector, slots, options.weights)], options)[0]

    def search_vectors(self, queries: Sequence[VectorQuery], options: Options) -> list[list[Hit]]:
        """Return the items nearest to each of several vectors; weights are each one's own."""
        return retrieve(self.catalogue, self.layout, queries, options)

    def _read_words(
        self, parts: QueryParts, options: Options
    ) -> tuple[TextQuery | None, TextQuery | None]:
        """Return the query's text, and the named colours as a text where there is no other."""
        models = self.describer.models
        if parts.text is not None:
            text = parts.text
            query = self._run_models(lambda: parse_text(text, models))
            query = self.look_up(query, options.words)
            if query.is_empty:
                self._run_models(lambda: raise_not_understood(query.text, models))
            return query, None
        names = [each for each in parts.colours if not each.startswith("#")]
        if not names:
            return None, None
        # The visual part tells colours too: as words a colour is found more often than by its
        # histogram alone (search/query/mixing.py has the numbers).
        words = f"in {' and '.join(names)}"
        return None, self._run_models(lambda: parse_text(words, models))

    def _search(
        self, query: LoadedQuery, targets: Mapping[int, SearchTarget], options: Options
    ) -> list[GarmentAnswer]:
        """Return all hits for each target, also those before the page that is asked for."""
        if not targets:
            return []
        # All start from the same: a photo's garments, or one item, text or vector.
        start = next(iter(targets.values())).vector
        vectors, sources = query.vectors(), query.parts.sources
        weights = combined_weights(self.layout, start, vectors, options.weights)
        known = NOTHING_KNOWN if query.text is None else query.text.known
        # Beside a photo, an item or a colour, looks always have something to add.
        known = replace(known, is_all=known.is_all and sources == ["text"])
        options = replace(
            options.narrowed(*query.excluded(options.group)),
            k=options.k + options.offset, offset=0, weights=weights, known=known,
        )  # fmt: skip
        garments = [each for each in targets.values() if isinstance(each, DescribedGarment)]
        moved = [combine(self.layout, target.vector, vectors) for target in targets.values()]
        own = [weights if start is None else self.layout.weights_for(each, weights)
               for each in moved]  # fmt: skip
        if garments and sources == ["photo"]:
            found = search_judged(self, read_calibration(self.catalogue), garments, options)
        else:
            queries = [
                VectorQuery(vector, query.slots(target, options), counting)
                for vector, target, counting in zip(moved, targets.values(), own, strict=True)
            ]
            found = self.search_vectors(queries, options)
        return [
            GarmentAnswer(i, target, tuple(hits), normalise_weights(counting), tuple(sources))
            for (i, target), hits, counting in zip(targets.items(), found, own, strict=True)
        ]


def search_judged(
    searcher: Searcher,
    calibration: Calibration | None,
    garments: Sequence[DescribedGarment],
    options: Options,
) -> list[list[Hit]]:
    """Return the most similar items for each of a photo's garments, with their confidence.

    Without confidence where the catalogue is not calibrated, or for other weights.
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
        # A hit's confidence does not depend on the order in which hits are shown.
        by_score = sorted(hits[: options.k], key=lambda hit: -hit.score)
        with_confidence = calibration.judge(by_score, first, garment.slot, garment.category)
        of_item = {hit.item.item_id: hit for hit in with_confidence}
        judged.append([of_item[hit.item.item_id] for hit in hits[: options.k]])
    return judged


def detect_photo(describer: Describer, photo: Photo) -> Answer:
    """Find and describe a photo's garments; the answer has no hits."""
    described = describe_photo(describer, photo)
    return Answer(
        new_id(),
        describer.models.fingerprint,
        tuple(GarmentAnswer(i, garment) for i, garment in enumerate(described.garments)),
        tuple(described.warnings),
        described.took_ms,
        photo=described,
    )


def _page(hits: Sequence[Hit], options: Options) -> tuple[Hit, ...]:
    return tuple(hit for hit in hits[options.offset :] if hit.score >= options.min_score)
