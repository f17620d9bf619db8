"""Answer requests for recommendations: what goes with an item or a photo, whole outfits."""

import time
from collections.abc import Sequence
from typing import Any

from api.handlers.photo_intake import ReceivedPhoto, Upload, receive_photo
from api.handlers.results import make_results
from api.schemas.recommend import (
    CompleteAnswer,
    CompleteRequest,
    Completing,
    OutfitAnswer,
    OutfitRequest,
    Recommending,
)
from api.schemas.responses import Garment, Result, SearchedGarment
from api.schemas.serialise import stored
from api.server.catalogues import ServedCatalogue
from api.server.state import ServerState
from search.answer_facts import answer_envelope, new_id, to_ms
from search.filters.json_filters import read_filter
from search.query.options import Options
from search.ranking.rank import Hit
from search.recommend.outfit import choose_worn, find_outfit, one_person, worn_with
from search.recommend.recommender import Completion, Recommender, Taste, Worn
from search.searcher import Searcher


def complete_item(
    state: ServerState, catalogue: ServedCatalogue, item_id: str, request: CompleteRequest
) -> CompleteAnswer:
    """Answer what goes with an item of the catalogue. Raises LapelErrors."""
    begin = time.perf_counter()
    searcher = Searcher(catalogue, state.describer)
    item = searcher.load_items([item_id, *request.like, *request.dislike])[item_id]
    found = Recommender(searcher).complete(
        item_id, _options(request), request.slots, _taste(request)
    )
    return CompleteAnswer(
        item_id=item_id,
        **_facts(state, catalogue, request, begin),
        worn=[stored(Garment, item)],
        garments=_completing(catalogue, found, request),
    )


def complete_photo(
    state: ServerState, catalogue: ServedCatalogue, request: CompleteRequest, upload: Upload | None
) -> CompleteAnswer:
    """Answer what goes with a garment of a photo, or with all that its person wears."""
    searcher, received = _begin(state, catalogue, request, upload)
    begin = time.perf_counter()
    garments = received.photo.garments
    ids = choose_worn(garments, request.garment, request.person)
    worn = [Worn(garments[i].vector, garments[i].slot, garments[i].category) for i in ids]
    found = Recommender(searcher).complete_worn(
        worn, _options(request), request.slots, _taste(request)
    )
    return CompleteAnswer(
        **received.head(),
        **_facts(state, catalogue, request, begin, received),
        worn=[received.garment(Garment, i) for i in ids],
        garments=_completing(catalogue, found, request),
        people=received.people(),
    )


def photo_outfit(
    state: ServerState, catalogue: ServedCatalogue, request: OutfitRequest, upload: Upload | None
) -> OutfitAnswer:
    """Answer with an item for each garment of one of the photo's people."""
    searcher, received = _begin(state, catalogue, request, upload)
    begin = time.perf_counter()
    garments = received.photo.garments
    if request.garment == "all":
        ids = one_person(garments, request.person)
    else:  # it says whose outfit is meant
        ids = worn_with(garments, choose_worn(garments, request.garment, request.person)[0])
    found = find_outfit(
        searcher, [garments[i] for i in ids], _options(request), request.complete, _taste(request)
    )
    chosen = [
        received.garment(
            SearchedGarment,
            ids[piece.id],
            results=_results(catalogue, [piece.hit] if piece.hit else [], request),
        )
        for piece in found.pieces
    ]
    return OutfitAnswer(
        **received.head(),
        **_facts(state, catalogue, request, begin, received),
        garments=chosen,
        completing=_completing(catalogue, found.completing, request),
        people=received.people(),
        total=dict(found.total),
        unpriced=found.unpriced,
    )


def _begin(
    state: ServerState, catalogue: ServedCatalogue, request: Recommending, upload: Upload | None
) -> tuple[Searcher, ReceivedPhoto]:
    """Check what can be checked before a model works, then receive the photo."""
    searcher = Searcher(catalogue, state.describer)
    searcher.load_items([*request.like, *request.dislike])
    read_filter(request.filter)
    return searcher, receive_photo(state, request, upload)


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
    state: ServerState,
    catalogue: ServedCatalogue,
    request: Recommending,
    begin: float,
    received: ReceivedPhoto | None = None,
) -> dict[str, Any]:
    spent = {"search": to_ms(time.perf_counter() - begin)}
    took_ms = {**(received.took_ms if received else {}), **spent}
    took_ms["total"] = round(sum(ms for stage, ms in took_ms.items() if stage != "total"), 1)
    state.metrics.stages(spent)
    warnings = received.photo.warnings if received else ()
    head = answer_envelope(new_id(), took_ms, state.inference.models.fingerprint, warnings)
    return head | {"catalogue": catalogue.settings.catalogue, "k": request.k}


def _completing(
    catalogue: ServedCatalogue, completions: Sequence[Completion], request: Recommending
) -> list[Completing]:
    return [
        Completing(
            id=i,
            slot=each.slot,
            trust=each.trust,
            looks=each.looks,
            results=_results(catalogue, each.hits, request),
        )
        for i, each in enumerate(completions)
    ]


def _results(
    catalogue: ServedCatalogue, hits: Sequence[Hit], request: Recommending
) -> list[Result]:
    return make_results(catalogue.settings.catalogue, hits, request.fields)
