"""Make the fields of garments' items that Milvus stores beside the vectors and filters by.

A garment may be several items' (sizes, of two prices), and Milvus has one row for it. So a field
says what *some* item of the garment may be, never less: a filter on these fields lets pass all that
SQL would, and seldom more, and SQL decides at last. `search/filters/milvus_expression.py` reads
the fields.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from sqlalchemy import select
from sqlalchemy.orm import Session

from indexer.storage.tables import ItemGarmentRow, ItemRow

# Milvus's field by the item's column; the garment's own slot has the name `slot`.
WORDS: Mapping[str, str] = {
    "category": "category",
    "slot": "item_slot",
    "colour": "colour",
    "brand": "brand",
    "availability": "availability",
    "currency": "currency",
}
ANY = "*"  # several words, or nobody knows which: passes every filter. No word is spelt so.
NONE = "!"  # the feed says nothing; no word is spelt so either
PRICE_LIMIT = 1.7e308  # beyond every price; Milvus knows no infinity
WORD_BYTES = 200  # a longer word is kept as its hash: compared whole, never read
OWN_WORDS = 500  # of the shop's own columns together, of a hundred sizes; with more, any passes


def spell(word: str) -> str:
    """Return a word as it is kept in Milvus, and compared: in lower case, in safe letters.

    Quotes, backslashes and all that ends a string in Milvus's expressions become `%..`.
    """
    spelt = quote(word.lower(), safe=" ", errors="surrogatepass")
    return spelt if len(spelt) <= WORD_BYTES else _hashed(spelt)


def spell_own(column: str, word: str) -> str:
    """Return a value of a shop's own column as it is kept in Milvus."""
    spelt = f"{quote(column, safe=' ', errors='surrogatepass')}={spell(word)}"
    return spelt if len(spelt) <= WORD_BYTES else _hashed(spelt)


def unknown_facts() -> dict[str, Any]:
    """Return the facts of a garment of which no item is known: they pass every filter."""
    low, high = -PRICE_LIMIT, PRICE_LIMIT
    words = dict.fromkeys(WORDS.values(), ANY)
    return {**words, "own": [ANY], "price_low": low, "price_high": high, "is_unpriced": True}


def read_facts(session: Session, garment_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return the facts of garments by id, as their items are now."""
    items: dict[int, list[Any]] = {}
    rows = session.execute(
        select(
            ItemGarmentRow.garment_id,
            *(getattr(ItemRow, column) for column in WORDS),
            ItemRow.price,
            ItemRow.fields,
        )
        .join(ItemRow, ItemRow.id == ItemGarmentRow.item_id)
        .where(ItemGarmentRow.garment_id.in_(garment_ids))
    )
    for row in rows:
        items.setdefault(row.garment_id, []).append(row)
    return {i: _facts(items[i]) if i in items else unknown_facts() for i in garment_ids}


def covers(kept: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Tell whether facts that Milvus keeps let pass all that an item's facts as they are now do.

    They may say more: of an item that is gone, whose garment others still show.
    """
    return (
        all(kept[field] in (now[field], ANY) for field in WORDS.values())
        and (ANY in kept["own"] or set(now["own"]) <= set(kept["own"]))
        and kept["price_low"] <= now["price_low"]
        and kept["price_high"] >= now["price_high"]
        and (kept["is_unpriced"] or not now["is_unpriced"])
    )


def _facts(items: Collection[Any]) -> dict[str, Any]:
    words = {
        field: _one({NONE if word is None else spell(word) for word in words})
        for field, words in (
            (field, [getattr(item, column) for item in items]) for column, field in WORDS.items()
        )
    }
    prices = [_bounded(item.price) for item in items if item.price is not None]
    return {
        **words,
        "own": _own(item.fields for item in items),
        # Without a price, low is above high: no bound is passed.
        "price_low": min(prices, default=PRICE_LIMIT),
        "price_high": max(prices, default=-PRICE_LIMIT),
        "is_unpriced": len(prices) < len(items),
    }


def _one(words: Collection[str]) -> str:
    return next(iter(words)) if len(words) == 1 else ANY


def _own(items: Iterable[Mapping[str, Any]]) -> list[str]:
    words = {spell_own(name, str(word)) for fields in items for name, word in fields.items()}
    return sorted(words) if len(words) <= OWN_WORDS else [ANY]


def _bounded(price: float) -> float:
    return max(-PRICE_LIMIT, min(PRICE_LIMIT, price))


def _hashed(spelt: str) -> str:
    return f"#{hashlib.sha256(spelt.encode()).hexdigest()}"
