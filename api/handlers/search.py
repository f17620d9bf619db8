"""Answer search requests: receive the photo, search, and return the hits."""

from api.handlers.photo_intake import ReceivedPhoto, Upload, describe_box, receive_photo
from api.handlers.results import search_answer
from api.schemas.requests import SearchRequest
from api.schemas.responses import SearchAnswer
from api.schemas.serialise import Outline
from api.server.catalogues import ServedCatalogue
from api.server.state import ServerState
from search.filters.json_filters import read_filter
from search.query.options import Options
from search.query.parts import DescribedPhoto, QueryParts
from search.searcher import Searcher


def answer_search(
    state: ServerState, catalogue: str, request: SearchRequest, upload: Upload | None
) -> SearchAnswer:
    """Search by the models that the catalogue has now. Raises LapelErrors."""
    return state.model_switch.answer(
        catalogue, lambda served: _answer(state, served, request, upload)
    )


def _answer(
    state: ServerState, catalogue: ServedCatalogue, request: SearchRequest, upload: Upload | None
) -> SearchAnswer:
    photo = _QueryPhoto(state, request, upload)
    searcher = Searcher(catalogue, state.describer, state.inference.call)
    answer = searcher.answer(_parts(request, photo), _options(request))
    state.metrics.stages({"search": answer.took_ms["search"]})
    name = catalogue.settings.catalogue
    return search_answer(name, request, answer, photo.received, photo.outlines)


class _QueryPhoto:
    """The photo of a request; it is received and described when the search calls for it."""

    def __init__(self, state: ServerState, request: SearchRequest, upload: Upload | None) -> None:
        self._state = state
        self._request = request
        self._upload = upload
        self.is_given = upload is not None or any(
            name.startswith("photo") for name in request.sources()
        )
        self.received: ReceivedPhoto | None = None
        self.outlines: tuple[list[Outline], ...] = ()

    def describe(self) -> DescribedPhoto:
        """Return the photo's garments, or the one in the box. Raises LapelErrors."""
        request = self._request
        self.received = received = receive_photo(self._state, request, self._upload)
        photo = received.photo
        if request.box is None:
            self.outlines = photo.outlines
            return DescribedPhoto(photo.garments, photo.warnings, received.took_ms)
        wanted = _options(request).garment_slot
        garment, lines, took_ms = describe_box(self._state, received, request.box, wanted)
        self.outlines = (lines,)
        return DescribedPhoto([garment], photo.warnings, {**received.took_ms, **took_ms})


def _parts(request: SearchRequest, photo: _QueryPhoto) -> QueryParts:
    return QueryParts(
        photo=photo.describe if photo.is_given else None,
        item_id=request.item_id,
        embedding=request.embedding,
        text=request.text,
        colours=request.colours,
        likes=request.like,
        dislikes=request.dislike,
        shares=request.mix.given(),
        has_box=request.box is not None,
    )


def _options(request: SearchRequest) -> Options:
    return Options(
        k=request.k,
        garment=request.garment,
        person=request.person,
        filters=read_filter(request.filter, request.in_stock_only),
        weights=request.weights.given(),
        strict_slot=request.strict_slot,
        group=request.group_by == "group_id",
        diversity=request.diversity,
        popularity=request.popularity,
        words=request.weights.words,
        offset=request.offset,
        min_score=request.min_score,
    )
