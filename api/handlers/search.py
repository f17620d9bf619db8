"""A search request in, its answer as JSON out: sources -> vectors -> hits -> what a shop shows."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.handlers.photo_intake import TakenIn, Upload, look_into_box, take_in
from api.handlers.result_json import hits_json
from api.schemas.problems import ItemUnknown
from api.schemas.requests import SearchRequest
from api.schemas.serialise import garment_json
from api.server.catalogues import ServedCatalogue
from api.server.state import State
from indexer.description.describe import DescribedGarment
from indexer.errors import QueryError
from indexer.fused_vector import normalise_weights
from indexer.garments import WORN_SLOTS, Slot
from search.answer_facts import NOT_UNDERSTOOD, answer_envelope, new_id, not_in_photo, to_ms
from search.filters.conditions import Condition
from search.filters.json_filters import not_these, read_filter
from search.query.keyword_index import NOTHING_KNOWN
from search.query.mixing import PartVectors, check_vector, combine, combined_weights
from search.query.options import Options
from search.query.text_query import TextQuery, parse_text, raise_not_understood
from search.ranking.confidence import Calibration, no_good_match, read_calibration
from search.ranking.hits import Hit
from search.retrieval.exact_scores import Sought
from search.retrieval.stored_items import StoredItem, load_items
from search.searcher import Searcher, chosen_ids, search_judged, slots_of


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """One garment to look for, as the answer shows it; a photo's has `garment`."""

    shown: dict[str, Any]
    vector: NDArray[np.float32] | None
    slot: Slot
    garment: DescribedGarment | None = None


class Search:
    """One request on one catalogue."""

    def __init__(self, state: State, catalogue: ServedCatalogue, request: SearchRequest) -> None:
        self._state = state
        self._catalogue = catalogue
        self._request = request
        self._searcher = Searcher(catalogue, state.describer)  # refuses an empty catalogue
        self._stored: dict[str, StoredItem] = {}
        self._text: TextQuery | None = None
        self._colour_words: TextQuery | None = None
        self._took: dict[str, float] = {}
        self._warnings: list[str] = []

    def answer(self, upload: Upload | None) -> dict[str, Any]:
        """Carry the request out. Raises LapelErrors."""
        request, begin = self._request, time.perf_counter()
        _check_sources(request, upload)
        read_filter(request.filter)  # what is malformed is refused before a model works
        self._look_up()
        taken = take_in(self._state, request, upload)
        if taken:
            self._took |= taken.took_ms
            self._warnings += taken.photo.warnings
        if request.text is not None:
            self._text = self._look_up_words(self._read(request.text))
        elif names := [each for each in request.colours if not each.startswith("#")]:
            # The looks tell colours too: said in words, a colour is found oftener than by
            # histogram alone (search/query/mixing.py has the numbers).
            self._colour_words = self._read(f"in {' and '.join(names)}")
        starts = self._starts(taken)
        start = time.perf_counter()
        found = self._find(starts)
        garments = [self._shown(each, *hits) for each, hits in zip(starts, found, strict=True)]
        is_matched = any(hit.matched_words for hits, _ in found for hit in hits)
        if self._text is not None and not (self._text.is_understood or is_matched):
            self._warnings.append(NOT_UNDERSTOOD)
        self._took["search"] = to_ms(time.perf_counter() - start)
        self._took["total"] = to_ms(time.perf_counter() - begin)
        self._state.metrics.stages({"search": self._took["search"]})
        return self._head(taken) | {"garments": garments}

    def _head(self, taken: TakenIn | None) -> dict[str, Any]:
        request = self._request
        head = taken.head() if taken else {}
        if request.item_id is not None:
            head["item_id"] = request.item_id
        if self._text is not None:
            head["text"] = self._text.text
        fingerprint = self._state.inference.models.fingerprint
        facts = answer_envelope(new_id(), self._took, fingerprint, self._warnings)
        asked = {"catalogue": self._catalogue.settings.catalogue}
        return head | facts | asked | {"k": request.k, "offset": request.offset}

    def _look_up(self) -> None:
        """Find the items that the request names."""
        request = self._request
        named = [*request.like, *request.dislike]
        if request.item_id is not None:
            named.append(request.item_id)
        if not named:
            return
        with self._catalogue.engine.connect() as sql:
            self._stored = load_items(sql, self._catalogue.id, self._searcher.layout, named)
        if missing := sorted(set(named) - set(self._stored)):
            raise ItemUnknown(f"the catalogue has no item {', '.join(map(repr, missing[:5]))}")

    def _read(self, text: str) -> TextQuery:
        start = time.perf_counter()
        models = self._state.inference.models
        query = self._state.inference.call(lambda: parse_text(text, models))
        self._took["text"] = to_ms(time.perf_counter() - start)
        return query

    def _look_up_words(self, query: TextQuery) -> TextQuery:
        """Return the text with what the feed knows of it; refuse one that says nothing to any."""
        request, models = self._request, self._state.inference.models
        query = self._searcher.look_up(query, request.weights.words)
        if query.is_empty:
            self._state.inference.call(lambda: raise_not_understood(query.text, models))
        return query

    def _starts(self, taken: TakenIn | None) -> list[Start]:
        request = self._request
        if taken and request.box:
            slot = _slot_named(request.garment)
            garment, lines, took = look_into_box(self._state, taken, request.box, slot)
            self._took |= took
            return [_start_of(0, garment, lines)]
        if taken:
            return self._chosen(taken)
        if request.item_id is not None:
            stored = self._stored[request.item_id]
            return [Start(dict(stored.shown), stored.vector, stored.slot)]
        vector = None
        if request.embedding is not None:
            vector = check_vector(self._searcher.layout, request.embedding)
        return [self._start_of_words(vector)]

    def _chosen(self, taken: TakenIn) -> list[Start]:
        """Return the garments of the photo that were asked for."""
        asked, garments = self._request.garment, taken.photo.garments
        if isinstance(asked, int):
            if asked >= len(garments):
                raise QueryError(
                    f"the photo has no garment {asked}; its garments are 0 to {len(garments) - 1}"
                )
            ids: Sequence[int] = [asked]
        else:
            ids = chosen_ids(garments, asked)
        if not ids:
            seen = (garment.slot for garment in garments)
            self._warnings.append(not_in_photo(str(asked), seen))
        return [_start_of(i, garments[i], taken.photo.outlines[i]) for i in ids]

    def _start_of_words(self, vector: NDArray[np.float32] | None) -> Start:
        """Return what a text, likes or a caller's own vector look for."""
        liked = [self._stored[item_id] for item_id in self._request.like]
        text, colours = self._text, [{"name": name} for name in self._request.colours]
        slot: Slot = "unknown"
        if text is None and vector is None and liked:
            slot = liked[0].slot if len({each.slot for each in liked}) == 1 else "unknown"
        if text is not None:
            slot = text.slot
            colours = colours or [{"name": name} for name in text.colours]
        category = text.category if text is not None else None
        shown = {"id": 0, "slot": slot, "category": category, "colours": colours}
        return Start(shown, vector, slot)

    def _find(self, starts: Sequence[Start]) -> list[tuple[list[Hit], dict[str, float]]]:
        """Return for each garment its hits, and the weights of their parts."""
        if not starts:
            return []
        layout, given = self._searcher.layout, self._ingredients()
        of_parts = self._request.weights.given()
        weights = [combined_weights(layout, start.vector, given, of_parts) for start in starts]
        # All start from the same: a photo's garments, or one item, text or vector.
        sources = self._sources(starts[0])
        options = self._options(weights[0], sources)
        garments = [start.garment for start in starts if start.garment is not None]
        if garments and sources == ["photo"]:
            found = search_judged(self._searcher, self._calibration, garments, options)
        else:
            vectors = [combine(layout, start.vector, given) for start in starts]
            sought = [
                Sought(vector, self._slots_of(start, options), own)
                for start, vector, own in zip(starts, vectors, weights, strict=True)
            ]
            found = self._searcher.search_vectors(sought, options)
        return list(zip(found, weights, strict=True))

    def _options(self, weights: Mapping[str, float], sources: list[str]) -> Options:
        request = self._request
        known = NOTHING_KNOWN if self._text is None else self._text.known
        return Options(
            k=request.k + request.offset,
            garment=_slot_named(request.garment) or "all",
            filters=read_filter(request.filter, request.in_stock_only, self._excluded()),
            weights=weights,
            strict_slot=request.strict_slot,
            group=request.group_by == "group_id",
            diversity=request.diversity,
            popularity=request.popularity,
            words=request.weights.words,
            # Beside a photo, an item or a colour looks always have something to add.
            known=replace(known, is_all=known.is_all and sources == ["text"]),
        )

    def _shown(
        self, start: Start, hits: Sequence[Hit], weights: Mapping[str, float]
    ) -> dict[str, Any]:
        """Return one garment of the answer with its results."""
        request = self._request
        if poor := no_good_match(hits, start.slot):
            self._warnings.append(poor)
        kept = [hit for hit in hits[request.offset :] if hit.score >= request.min_score]
        shares = normalise_weights(weights)
        shown = dict(start.shown)
        if request.explain:
            shown["explain"] = {"weights": _rounded(shares), "sources": self._sources(start)}
        return shown | {"results": hits_json(self._catalogue, kept, request, shares)}

    @cached_property
    def _calibration(self) -> Calibration | None:
        return read_calibration(self._catalogue)

    def _slots_of(self, start: Start, options: Options) -> Sequence[Slot] | None:
        said = self._text.slot if self._text is not None else "unknown"
        if start.garment is not None and said in ("unknown", start.slot):
            return slots_of(start.garment, options)
        # A photo of a shirt "as a dress" is looked for among dresses.
        return options.slots_for(said if said != "unknown" else start.slot)

    def _ingredients(self) -> PartVectors:
        request = self._request
        return PartVectors(
            self._text or self._colour_words,
            request.colours,
            [self._stored[item_id].vector for item_id in request.like],
            [self._stored[item_id].vector for item_id in request.dislike],
            request.mix.given(),
        )

    def _excluded(self) -> list[Condition]:
        """Return what leaves out the item that was asked with, and disliked ones."""
        request = self._request
        by_group = request.group_by == "group_id"
        left = [] if request.item_id is None else [request.item_id]
        items = [self._stored[item_id] for item_id in (*left, *request.dislike)]
        if not items:
            return []
        if by_group:
            return [not_these("group_id", [item.group_id for item in items])]
        return [not_these("item_id", [item.item_id for item in items])]

    def _sources(self, start: Start) -> list[str]:
        request = self._request
        named = {
            "photo": start.garment is not None,
            "item": request.item_id is not None,
            "embedding": request.embedding is not None,
            "text": self._text is not None,
            "colour": bool(request.colours),
            "like": bool(request.like),
            "dislike": bool(request.dislike),
        }
        return [name for name, is_used in named.items() if is_used]


def _check_sources(request: SearchRequest, upload: Upload | None) -> None:
    sources = request.sources()
    if upload and sources:
        raise QueryError(f"a photo was sent, and {sources[0]} too; give one of them")
    has_photo = upload is not None or any(name.startswith("photo") for name in sources)
    if not (upload or sources or request.text is not None or request.like or request.colours):
        raise QueryError(
            "nothing to search for; send a photo, or one of photo_base64, photo_url, photo_id, "
            "item_id, text, embedding, like, colour"
        )
    if not has_photo and (request.box or isinstance(request.garment, int)):
        raise QueryError("box and a garment's id are of a photo; send one, or its photo_id")


def _start_of(id_: int, garment: DescribedGarment, lines: Any) -> Start:
    shown = garment_json(id_, garment) | {"outlines": lines}
    return Start(shown, garment.vector, garment.slot, garment)


def _slot_named(garment: str | int) -> Slot | None:
    return next((slot for slot in WORN_SLOTS if slot == garment), None)


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}
