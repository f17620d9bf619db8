"""A request for recommendations in, its answer as JSON out: what goes with it, whole outfits."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.handlers.photo_intake import TakenIn, Upload, take_in
from api.handlers.result_json import hits_json
from api.schemas.problems import ItemUnknown
from api.schemas.recommend import CompleteRequest, OutfitRequest, Recommending
from api.schemas.requests import SearchRequest
from api.server.catalogues import ServedCatalogue
from api.server.state import State
from indexer.description.describe import DescribedGarment
from indexer.errors import QueryError
from indexer.fused_vector import normalise_weights
from indexer.storage.tables import ItemRow
from search.answer_facts import answer_envelope, new_id, not_in_photo, to_ms
from search.filters.json_filters import read_filter
from search.query.options import Options
from search.ranking.hits import Hit
from search.recommend.outfit import find_outfit, one_person
from search.recommend.recommender import Completion, Recommender, Taste, Worn
from search.searcher import Searcher, chosen_ids


def complete_item(
    state: State, catalogue: ServedCatalogue, item_id: str, request: CompleteRequest
) -> dict[str, Any]:
    """Answer what goes with an item of the catalogue. Raises LapelErrors."""
    begin = time.perf_counter()
    _check_known(catalogue, [item_id, *request.like, *request.dislike])
    recommender = Recommender(Searcher(catalogue, state.describer), catalogue)
    stored = recommender.item(item_id)
    found = recommender.complete(item_id, _options(request), request.slots, _taste(request))
    return {
        "item_id": item_id,
        **_facts(state, catalogue, request, {"search": begin}, ()),
        "worn": [stored.shown],
        "garments": _completing(catalogue, found, request),
    }


def complete_photo(
    state: State, catalogue: ServedCatalogue, request: CompleteRequest, upload: Upload | None
) -> dict[str, Any]:
    """Answer what goes with a garment of a photo, or with all that its person wears."""
    _check_known(catalogue, [*request.like, *request.dislike])
    recommender = Recommender(Searcher(catalogue, state.describer), catalogue)
    taken = _taken(state, request, upload)
    begin = time.perf_counter()
    ids = _asked(request, taken.photo.garments)
    worn = [Worn(each.vector, each.slot, each.category)
            for each in (taken.photo.garments[i] for i in ids)]  # fmt: skip
    found = recommender.complete_worn(worn, _options(request), request.slots, _taste(request))
    return {
        **taken.head(),
        **_facts(state, catalogue, request, {"search": begin}, taken.photo.warnings, taken.took_ms),
        "worn": [taken.garment(i) for i in ids],
        "garments": _completing(catalogue, found, request),
    }


def photo_outfit(
    state: State, catalogue: ServedCatalogue, request: OutfitRequest, upload: Upload | None
) -> dict[str, Any]:
    """Answer with an item for each garment of the photo's main person."""
    _check_known(catalogue, [*request.like, *request.dislike])
    searcher = Searcher(catalogue, state.describer)
    taken = _taken(state, request, upload)
    begin = time.perf_counter()
    ids = list(range(len(taken.photo.garments)))
    if request.garment != "all":  # whose outfit is meant, of several people
        ids = _around(taken.photo.garments, _asked(request, taken.photo.garments)[0])
    garments = [taken.photo.garments[i] for i in ids]
    found = find_outfit(
        searcher, catalogue, garments, _options(request), request.complete, _taste(request)
    )
    shown = [
        taken.garment(ids[piece.id])
        | {"results": _hits(catalogue, [piece.hit] if piece.hit else [], request)}
        for piece in found.pieces
    ]
    return {
        **taken.head(),
        **_facts(state, catalogue, request, {"search": begin}, taken.photo.warnings, taken.took_ms),
        "garments": shown,
        "completing": _completing(catalogue, found.completing, request),
        "total": dict(found.total),
        "unpriced": found.unpriced,
    }


def _taken(state: State, request: Recommending, upload: Upload | None) -> TakenIn:
    if upload and request.sources():
        raise QueryError(f"a photo was sent, and {request.sources()[0]} too; give one of them")
    read_filter(request.filter)  # what is malformed is refused before a model works
    taken = take_in(state, request, upload)
    if taken is None:
        raise QueryError("no photo; send one, or photo_base64, photo_url or photo_id")
    return taken


def _asked(request: Recommending, garments: Sequence[DescribedGarment]) -> list[int]:
    """Return the garments that are meant: one by its id or slot, else all of the main person."""
    asked = request.garment
    if asked == "all":
        return one_person(garments)
    if isinstance(asked, int):
        if asked >= len(garments):
            raise QueryError(
                f"the photo has no garment {asked}; its garments are 0 to {len(garments) - 1}"
            )
        return [asked]
    ids = chosen_ids(garments, asked)
    if not ids:
        raise QueryError(not_in_photo(asked, (each.slot for each in garments)))
    return [max(ids, key=lambda i: garments[i].confidence)]


def _around(garments: Sequence[DescribedGarment], first: int) -> list[int]:
    """Return a garment and those that the same person may wear, not those of its own slot."""
    slot = garments[first].slot
    near = [i for i, each in enumerate(garments) if each.slot != slot]
    worn = {first}
    for i in near:
        if len(one_person([garments[first], garments[i]])) == 2:
            worn.add(i)
    return sorted(worn)


def _options(request: Recommending) -> Options:
    return Options(
        k=request.k,
        filters=read_filter(request.filter, request.in_stock_only),
        weights=request.weights.given(),
        diversity=request.diversity,
        popularity=request.popularity,
    )


def _taste(request: Recommending) -> Taste:
    return Taste(request.like, request.dislike, request.mix.given())


def _facts(
    state: State,
    catalogue: ServedCatalogue,
    request: Recommending,
    since: Mapping[str, float],
    warnings: Sequence[str],
    took: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    spent = {stage: to_ms(time.perf_counter() - begin) for stage, begin in since.items()}
    took_ms = {**(took or {}), **spent}
    took_ms["total"] = round(sum(ms for stage, ms in took_ms.items() if stage != "total"), 1)
    state.metrics.stages(spent)
    head = answer_envelope(new_id(), took_ms, state.inference.models.fingerprint, warnings)
    return head | {"catalogue": catalogue.settings.catalogue, "k": request.k}


def _completing(
    catalogue: ServedCatalogue, found: Sequence[Completion], request: Recommending
) -> list[dict[str, Any]]:
    return [
        {
            "id": i,
            "slot": each.slot,
            "trust": each.trust,
            "looks": each.looks,
            "results": _hits(catalogue, each.hits, request),
        }
        for i, each in enumerate(found)
    ]


def _hits(
    catalogue: ServedCatalogue, hits: Sequence[Hit], request: Recommending
) -> list[dict[str, Any]]:
    as_search = SearchRequest(fields=request.fields)
    return hits_json(catalogue, hits, as_search, normalise_weights(request.weights.given()))


def _check_known(catalogue: ServedCatalogue, item_ids: Sequence[str]) -> None:
    """Refuse items that are not in the catalogue. Raises ItemUnknown."""
    query = select(ItemRow.item_id).where(
        ItemRow.catalogue_id == catalogue.id, ItemRow.item_id.in_(item_ids)
    )
    with Session(catalogue.engine) as session:
        missing = sorted(set(item_ids) - set(session.scalars(query)))
    if missing:
        raise ItemUnknown(f"the catalogue has no item {', '.join(map(repr, missing[:5]))}")
