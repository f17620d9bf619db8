"""Write slots and filters as a filter expression of Milvus.

Milvus has one row for a garment, whatever number of items show it, so the expression asks whether
some item of it *may* match: it never leaves out one that does, and SQL checks the garments that
pass. Values are spelt in safe letters (indexer/vectors/milvus/filter_fields.py), so none can end
its quotes.
"""

from collections.abc import Sequence

from indexer.vectors.milvus.filter_fields import ANY, NONE, PRICE_LIMIT, WORDS, spell, spell_own
from search.filters.conditions import COLUMNS, Condition, Filters, Node

LONGEST = 30_000  # letters of an expression: of 500 values, in a request of a few milliseconds
_NEVER, _ALWAYS = "id < 0", "id >= 0"


def expression(slots: Sequence[str] | None, filters: Filters) -> str | None:
    """Return the expression; None when a condition is on a field that Milvus does not have.

    Without slots and filters it is empty.
    """
    parts = [] if slots is None else [_among("slot", [*slots, "unknown"])]
    for node in filters.conditions:
        part = _may_be(node, True)
        if part is None:
            return None
        parts.append(part)
    written = " and ".join(f"({part})" for part in parts)
    return written if len(written) <= LONGEST else None


def _may_be(node: Node, is_wanted: bool) -> str | None:
    """Return when some item may fulfil a node, or may not; None when Milvus cannot tell."""
    if isinstance(node, Condition):
        return _condition(node, is_wanted)
    is_all = (node.how == "and") == is_wanted  # of the contrary of "and", one is enough
    if node.how == "none":
        is_all = is_wanted
    parts = [_may_be(part, is_wanted != (node.how == "none")) for part in node.parts]
    written = [f"({part})" for part in parts if part is not None]
    if len(written) < len(parts):
        return None
    if not written:
        return _ALWAYS if is_all else _NEVER
    return (" and " if is_all else " or ").join(written)


def _condition(condition: Condition, is_wanted: bool) -> str | None:
    field, operator = condition.field, condition.operator
    if operator == "!=":
        operator, is_wanted = "=", not is_wanted
    if field == "price":
        return _price(operator, condition.values, is_wanted)
    if operator == "exists":
        return _exists(field, is_wanted)
    if operator != "=":
        return None
    if field in WORDS:
        words = [spell(value) for value in condition.values]
        if is_wanted:
            return _among(WORDS[field], [*words, ANY])
        return _not_among(WORDS[field], words)
    if field in COLUMNS or not is_wanted:
        return None
    own = [spell_own(field, value) for value in condition.values]
    return f"array_contains_any(own, {_quoted([*own, ANY])})"


def _exists(field: str, is_wanted: bool) -> str | None:
    if field not in WORDS:
        return None
    nothing = ["", NONE]
    return _not_among(WORDS[field], nothing) if is_wanted else _among(WORDS[field], [*nothing, ANY])


def _price(operator: str, values: Sequence[str], is_wanted: bool) -> str | None:
    if operator == "exists":
        return "price_low <= price_high" if is_wanted else "is_unpriced == true"
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return None  # SQL says what is wrong with it
    if not all(abs(number) < PRICE_LIMIT for number in numbers):
        return None
    if operator == "=":
        each = [f"(price_low <= {n!r} and price_high >= {n!r})" for n in numbers]
        if is_wanted:
            return " or ".join(each) or _NEVER
        # Not so only if all its items have one and the same of these prices.
        other = [f"price_low != {n!r}" for n in numbers]
        several = "price_low < price_high or is_unpriced == true"
        return f"{several} or ({' and '.join(other) or _ALWAYS})"
    (limit,) = numbers
    if operator == ">=":
        return (
            f"price_high >= {limit!r}" if is_wanted
            else f"price_low < {limit!r} or is_unpriced == true"
        )  # fmt: skip
    return (
        f"price_low <= {limit!r}" if is_wanted
        else f"price_high > {limit!r} or is_unpriced == true"
    )  # fmt: skip


def _among(field: str, words: Sequence[str]) -> str:
    return f"{field} in {_quoted(words)}"


def _not_among(field: str, words: Sequence[str]) -> str:
    return f"{field} not in {_quoted(words)}" if words else _ALWAYS


def _quoted(words: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"
