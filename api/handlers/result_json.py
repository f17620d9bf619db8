"""Hits in, the results of an HTTP answer out: the command line's JSON, and what a page needs."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from api.schemas.requests import SearchRequest
from api.schemas.serialise import ITEM_FIELDS, match_json
from api.server.catalogues import ServedCatalogue
from search.filters.conditions import COLUMNS
from search.ranking.hits import Hit, HitItem


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
        shown["contributions"] = {
            part: round(share * hit.parts[part], 4) for part, share in shares.items()
        }
        shown["lift"] = round(hit.lift, 4)
    return shown
