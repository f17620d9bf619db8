"""Assemble an item record from the cells of a row of any format."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from indexer.feeds.reading.record import ItemRecord, RowError
from indexer.feeds.reading.values import (
    parse_availability,
    parse_price,
    plain_text,
    storable,
    unique,
)
from indexer.garments import WORN_SLOTS
from indexer.vocabulary.categories import (
    find_category,
    find_kind,
    find_kind_in_path,
    most_telling,
    slot_of,
)

MAX_PATHS = 50  # categories of an item that are tried
# Words with an attribute of their own in a record; all others are kept in `fields`.
PLACED = frozenset(
    [
        "id", "group_id", "photos", "title", "description", "colour", "brand", "price", "currency",
        "availability", "link",
    ]
)  # fmt: skip


def assemble(
    row: int, values: Mapping[str, str], photos: Iterable[str], kinds: Sequence[str | None] = ()
) -> ItemRecord:
    """Return the record of a row.

    `values` has the words of `PLACED`, and any others, which become fields; if a `sale_price` is
    valid now, it is the price. `kinds` are what the row's words name (`find_kind`), the most
    trusted first; without any, its category, product type and title are read. Raises
    ValueError, with what is wrong, for a row that gives no item.
    """
    cleaned = ((storable(word), storable(cell).strip()) for word, cell in values.items() if cell)
    values = {word: cell for word, cell in cleaned if cell}
    addresses = unique(storable(photo) for photo in photos)
    lacking = [
        word for word, is_there in (("id", "id" in values), ("picture", addresses)) if not is_there
    ]
    if lacking:
        raise ValueError(f"no {' and no '.join(lacking)}")
    price, currency, more = _price(values)
    category = most_telling(kinds or kinds_of(values))
    slot = slot_of(category) if category else None
    given_slot = values.get("slot", "").lower()
    return ItemRecord(
        item_id=values["id"],
        group_id=values.get("group_id") or values["id"],
        photos=tuple(addresses),
        title=plain_text(values.get("title", "")),
        description=plain_text(values.get("description", "")),
        category=category,
        slot=slot or next((name for name in WORN_SLOTS if name == given_slot), None),
        colour=values.get("colour"),
        brand=values.get("brand"),
        price=price,
        currency=currency or values.get("currency"),
        availability=parse_availability(values.get("availability", "")),
        link=values.get("link"),
        fields={word: cell for word, cell in values.items() if word not in PLACED} | more,
        row=row,
    )


def kinds_of(values: Mapping[str, str]) -> list[str | None]:
    """Return the categories that the words of a row name, the most trusted first."""
    return [
        find_kind_in_path(values.get("category", "")),
        find_kind_in_path(values.get("product_type", "")),
        find_kind(plain_text(values.get("title", ""))),
        find_kind_in_path(values.get("google_product_category", "")),
        # What else tags name, as "wallet" of a bag, does not make the item no garment.
        find_category(values.get("tags", "")),
    ]


def attempt(row: int, item_id: str, build: Callable[[], ItemRecord]) -> ItemRecord | RowError:
    """Return the result of `build`, or the error of its row."""
    try:
        return build()
    except ValueError as error:
        return RowError(row, storable(item_id), str(error))


def _price(values: Mapping[str, str]) -> tuple[float | None, str | None, dict[str, str]]:
    """Return the price to pay, its currency, and the regular price as a field if it is reduced."""
    regular, sale = values.get("price", ""), values.get("sale_price", "")
    if not sale or not _is_on(values.get("sale_price_effective_date", "")):
        return *parse_price(regular), {}
    return *parse_price(sale), {"regular_price": regular} if regular else {}


def _is_on(dates: str) -> bool:
    """Tell whether a sale from `2026-02-24T11:07+0100/2026-02-29T23:07+0100` is on."""
    try:
        begin, end = (_moment(text) for text in dates.split("/"))
    except ValueError:  # none, or none that can be read: the feed gave a sale price, so it is on
        return True
    return begin <= datetime.now(UTC) <= end


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text.strip())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
