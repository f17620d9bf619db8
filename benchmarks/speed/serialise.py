"""Time making an answer of 100 hits and its JSON: as models, and as plain dicts by `json.dumps`.

    python -m benchmarks.speed.serialise [--hits 100] [--runs 500]

Models are built and serialised as FastAPI does it, dicts as the server did in 0.1.0; one of each
after the other, again and again, in one process. On two cores: 1.04 ms as models, 1.04 as dicts
(medians); a whole `similar` among a million garments takes 7.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import TypeAdapter

from api.handlers.results import item_value, make_results, picture_folder, public_name
from api.schemas.responses import SearchAnswer, SearchedGarment
from api.schemas.serialise import ITEM_FIELDS, match_json
from search.ranking.rank import Hit, HitItem

CATALOGUE = "default"
HEAD: dict[str, Any] = {
    "photo": "street.jpg",
    "photo_id": "p_1",
    "image": {"width": 1_000, "height": 1_500},
    "query_id": "7f0c",
    "took_ms": {"search": 5.1, "total": 7.3},
    "model": {"fingerprint": "0123456789abcdef"},
    "warnings": [],
    "catalogue": CATALOGUE,
    "k": 100,
    "offset": 0,
}
GARMENT: dict[str, Any] = {
    "id": 0,
    "slot": "top",
    "category": "shirt",
    "confidence": 0.91,
    "is_fallback": False,
    "box": [0.1, 0.2, 0.6, 0.9],
    "colours": [{"name": "navy", "hex": "#1b2a4a", "share": 0.8}],
    "attributes": {"pattern": {"plain": 0.9}},
    "outlines": [[[round(i / 60, 4), 0.5] for i in range(60)]],
}
_ADAPTER = TypeAdapter(SearchAnswer)


def some_hits(count: int) -> list[Hit]:
    """Return hits with every field that a shop's items usually have."""
    return [
        Hit(
            HitItem(
                f"sku-{i}",
                f"group-{i}",
                f"Linen shirt number {i}",
                category="shirt",
                slot="top",
                colour="navy",
                brand="Webkante",
                price=39.9,
                currency="EUR",
                availability="in_stock",
                link=f"https://www.example.com/items/sku-{i}",
            ),
            i,
            round(1 - i / 200, 4),
            {"visual": 0.8123, "colour": 0.6111, "attributes": 0.5012},
            f"https://www.example.com/pictures/sku-{i}.jpg",
            f"{i:064x}",
            confidence=0.5,
            match="similar",
        )
        for i in range(count)
    ]


def as_models(hits: Sequence[Hit]) -> bytes:
    """Return the answer's JSON as the server makes it."""
    garment = SearchedGarment(**GARMENT, results=make_results(CATALOGUE, hits))
    return _ADAPTER.dump_json(SearchAnswer(**HEAD, garments=[garment]), exclude_unset=True)


def as_dicts(hits: Sequence[Hit]) -> bytes:
    """Return the same JSON as 0.1.0 made it."""
    results = [_dict(hit) for hit in hits]
    return bytes(JSONResponse(HEAD | {"garments": [GARMENT | {"results": results}]}).body)


def _dict(hit: Hit) -> dict[str, Any]:
    shown = match_json(hit)
    shown["matched_photo"] = public_name(hit.matched_photo)
    shown["picture"] = f"{picture_folder(CATALOGUE)}/{hit.photo_sha256}.jpg"
    for name in ITEM_FIELDS:
        shown.setdefault(name, item_value(hit.item, name))
    return shown


def timed(ways: Sequence[Callable[[], bytes]], runs: int) -> list[float]:
    """Return the median milliseconds of each way, one after the other in each run."""
    spent: list[list[float]] = [[] for _ in ways]
    for _ in range(runs):
        for way, ms in zip(ways, spent, strict=True):
            start = time.perf_counter()
            way()
            ms.append((time.perf_counter() - start) * 1000)
    return [statistics.median(ms) for ms in spent]


def main() -> None:
    """Print both medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hits", type=int, default=100)
    parser.add_argument("--runs", type=int, default=500)
    given = parser.parse_args()
    hits = some_hits(given.hits)
    if json.loads(as_models(hits)) != json.loads(as_dicts(hits)):
        raise SystemExit("the two answers differ")
    models, dicts = timed([lambda: as_models(hits), lambda: as_dicts(hits)], given.runs)
    print(f"{given.hits} hits: {models:.2f} ms as models, {dicts:.2f} ms as dicts")


if __name__ == "__main__":
    main()
