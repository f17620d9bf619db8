"""Count the values of the columns that a catalogue can be filtered by, and the range of prices."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from indexer.errors import QueryError
from indexer.storage.tables import ItemRow
from search.filters.conditions import COLUMNS

WORDS = ("slot", "category", "colour", "brand", "availability")
MOST_VALUES = 50  # of one column; nobody chooses from more
PAGE = 1_000  # rows at a time
LONGEST = 100  # letters of a value; a longer one is a text


def find_facets(
    session: Session, catalogue_id: int, names: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Return the facets of the columns named, or of all that have some.

    By default the shop's own columns with 2 to 50 short values are among them, after the known.
    Raises QueryError for a column that no item has.
    """
    if names is None:
        known = [_values(session, catalogue_id, name) for name in WORDS]
        return [*known, _price(session, catalogue_id), *_shop_columns(session, catalogue_id, None)]
    wanted = ["colour" if name.lower() == "color" else name for name in names]
    shop_columns = {each["field"]: each for each in _shop_columns(session, catalogue_id, wanted)}
    facets = []
    for name in dict.fromkeys(wanted):
        if name == "price":
            facets.append(_price(session, catalogue_id))
        elif name in COLUMNS:
            facets.append(_values(session, catalogue_id, name))
        elif name in shop_columns:
            facets.append(shop_columns[name])
        else:
            raise QueryError(f"no item has a field {name!r}")
    return facets


def _values(session: Session, catalogue_id: int, name: str) -> dict[str, Any]:
    column = getattr(ItemRow, name)
    counted = session.execute(
        select(column, func.count())
        .where(ItemRow.catalogue_id == catalogue_id, column.is_not(None), column != "")
        .group_by(column)
        .order_by(func.count().desc(), column)
        .limit(MOST_VALUES)
    )
    return {"field": name, "values": [{"value": v, "count": n} for v, n in counted]}


def _price(session: Session, catalogue_id: int) -> dict[str, Any]:
    low, high, count = session.execute(
        select(func.min(ItemRow.price), func.max(ItemRow.price), func.count(ItemRow.price)).where(
            ItemRow.catalogue_id == catalogue_id
        )
    ).one()
    return {"field": "price", "min": low, "max": high, "count": count}


def _shop_columns(
    session: Session, catalogue_id: int, names: Sequence[str] | None
) -> list[dict[str, Any]]:
    """Return the shop's own columns: those named, or those with few values."""
    counts: dict[str, Counter[str]] = {}
    rows = session.scalars(select(ItemRow.fields).where(ItemRow.catalogue_id == catalogue_id))
    for fields in rows.yield_per(PAGE):
        for name, value in fields.items():
            if (names is None or name in names) and value:
                counts.setdefault(name, Counter())[str(value)] += 1
    chosen = {
        name: values
        for name, values in sorted(counts.items())
        if names is not None
        or (2 <= len(values) <= MOST_VALUES and max(map(len, values)) <= LONGEST)
    }
    return [
        {
            "field": name,
            "values": [{"value": v, "count": n} for v, n in values.most_common(MOST_VALUES)],
        }
        for name, values in chosen.items()
    ]
