"""Build the JSON of HTTP answers: what the command line says, and what a page needs beside it."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from api.handlers.photo_intake import ReceivedPhoto
from api.schemas.requests import SearchRequest
from api.schemas.serialise import (
    ITEM_FIELDS,
    Outline,
    envelope_json,
    explain_hit_json,
    explain_json,
    match_json,
    target_json,
)
from api.server.catalogues import ServedCatalogue
from search.answer import Answer
from search.filters.conditions import COLUMNS
from search.ranking.hits import Hit, HitItem


def search_json(
    catalogue: ServedCatalogue,
    request: SearchRequest,
    answer: Answer,
    photo: ReceivedPhoto | None,
    outlines: Sequence[list[Outline]],
) -> dict[str, Any]:
    """Return the answer to a search; `outlines` are of the photo's garments."""
    head = photo.head() if photo is not None else {}
    if request.item_id is not None:
        head["item_id"] = request.item_id
    if answer.text is not None:
        head["text"] = answer.text.text
    garments = []
    for each in answer.garments:
        shown = target_json(each)
        if photo is not None:
            shown["outlines"] = outlines[each.id]
        if request.explain:
            shown["explain"] = explain_json(each)
        results = hits_json(catalogue, each.hits, request, each.weights)
        garments.append(shown | {"results": results})
    asked = {"catalogue": catalogue.settings.catalogue, "k": request.k, "offset": request.offset}
    return head | envelope_json(answer) | asked | {"garments": garments}


def hits_json(
    catalogue: ServedCatalogue,
    hits: Sequence[Hit],
    request: SearchRequest,
    shares: Mapping[str, float],
) -> list[dict[str, Any]]:
    """Return the results; of a picture's address only the file's name is shown."""
    return [
        _result(hit, request, shares, picture_address(catalogue, hit.photo_sha256)) for hit in hits
    ]


def picture_address(catalogue: ServedCatalogue, sha256: str | None) -> str | None:
    """Return where a stored photo's thumbnail is served."""
    if sha256 is None:
        return None
    return f"/v1/catalogues/{quote(catalogue.settings.catalogue)}/pictures/{sha256}.jpg"


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


def _result(
    hit: Hit, request: SearchRequest, shares: Mapping[str, float], picture: str | None
) -> dict[str, Any]:
    shown = match_json(hit)
    shown["matched_photo"] = public_name(hit.matched_photo)
    shown["picture"] = picture
    for name in request.fields if request.fields is not None else ITEM_FIELDS:
        shown.setdefault(name, item_value(hit.item, name))
    if request.explain:
        shown |= explain_hit_json(hit, shares)
    return shown
