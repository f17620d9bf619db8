"""Build the results of HTTP answers: hits with pictures, and the columns that were asked for."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from pydantic import TypeAdapter

from api.handlers.photo_intake import ReceivedPhoto
from api.schemas.requests import SearchRequest
from api.schemas.responses import Result, SearchAnswer, SearchedGarment
from api.schemas.serialise import (
    ITEM_FIELDS,
    Outline,
    envelope,
    explained,
    explained_hit,
    match_json,
    people_of,
    target,
)
from search.answer import Answer
from search.filters.conditions import COLUMNS
from search.ranking.rank import Hit, HitItem

_RESULTS = TypeAdapter(list[Result])
_FIELDS = frozenset(Result.model_fields)  # a shop's column of the same name is not shown


def search_answer(
    catalogue: str,
    request: SearchRequest,
    answer: Answer,
    photo: ReceivedPhoto | None,
    outlines: Sequence[list[Outline]],
) -> SearchAnswer:
    """Return the answer to a search; `outlines` are of the photo's garments."""
    head = photo.head() if photo is not None else {}
    if request.item_id is not None:
        head["item_id"] = request.item_id
    if answer.text is not None:
        head["text"] = answer.text.text
    if answer.photo is not None:
        head["people"] = people_of(answer.photo.garments)
    garments = []
    for each in answer.garments:
        more: dict[str, Any] = {}
        if photo is not None:
            more["outlines"] = outlines[each.id]
        if request.explain:
            more["explain"] = explained(each)
        weights = each.weights if request.explain else None
        results = make_results(catalogue, each.hits, request.fields, weights)
        garments.append(target(SearchedGarment, each, results=results, **more))
    return SearchAnswer(
        **head,
        **envelope(answer),
        catalogue=catalogue,
        k=request.k,
        offset=request.offset,
        garments=garments,
    )


def make_results(
    catalogue: str,
    hits: Sequence[Hit],
    fields: Sequence[str] | None = None,
    weights: Mapping[str, float] | None = None,
) -> list[Result]:
    """Return the results with these fields of the items; `weights` explain the scores.

    Of a picture's address only the file's name is shown.
    """
    names = [name for name in (ITEM_FIELDS if fields is None else fields) if name not in _FIELDS]
    pictures = picture_folder(catalogue)
    results = []
    for hit in hits:
        result = match_json(hit)
        result["matched_photo"] = public_name(hit.matched_photo)
        result["picture"] = f"{pictures}/{hit.photo_sha256}.jpg"
        result |= {name: item_value(hit.item, name) for name in names}
        if weights is not None:
            result |= explained_hit(hit, weights)
        results.append(result)
    # Validated as a list, since one by one they take twice as long (benchmarks/speed/serialise.py).
    return _RESULTS.validate_python(results)


def picture_folder(catalogue: str) -> str:
    """Return the address under which the thumbnails of stored photos are served."""
    return f"/v1/catalogues/{quote(catalogue)}/pictures"


def public_name(address: str) -> str:
    """Return a web address as it is, and of a file its name: where it lies is the server's own."""
    return address if address.startswith(("http://", "https://")) else PurePath(address).name


def web_link(link: str | None) -> str | None:
    """Return a link that may be followed; a feed could hold `javascript:` too."""
    return link if link and link.lower().startswith(("http://", "https://")) else None


def item_value(item: HitItem, name: str) -> Any:
    """Return one of an item's columns, the shop's own too; None when it has none such."""
    if name == "link":
        return web_link(item.link)
    return getattr(item, name) if name in COLUMNS else item.fields.get(name)
